// Landlock on the running kernel, without a view around it: what is denied here is denied by Landlock alone. Every
// action is tried in a granted place, where it works, and beside it, where it must not.
#include "confine/landlock.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <csignal>
#include <cstring>
#include <span>
#include <thread>

#include "confine/landlock_rights.h"
#include "jailed.h"
#include "sys/capabilities.h"
#include "sys/file.h"

namespace jail::confine::landlock {
namespace {

using test::all;
using test::as_starter;
using test::expect;
using test::expect_failure;
using test::Scratch;

class Landlock : public test::ForEitherStarter {
 protected:
  // Two folders alike: one is granted, one is not.
  Landlock() {
    for (const char* name : {"in", "out"}) {
      const std::string folder = name;
      scratch.folder(folder + "/empty");
      scratch.file(folder + "/file", "text");
      scratch.file(folder + "/other", "text");
      scratch.folder(folder + "/sub");
      std::filesystem::copy_file(JAIL_TEST_PLUGIN, scratch / (folder + "/program"));
    }
    if (::geteuid() == 0) scratch.give_to(starter_uid());
  }
  void SetUp() override {
    test::ForEitherStarter::SetUp();
    if (probe().abi == 0) GTEST_SKIP() << "this kernel has no Landlock";
  }
  [[nodiscard]] static uid_t starter_uid() { return GetParam() == test::Starter::Root ? 0 : plugin_uid(); }

  // What `body` complains of with `access` to the folder "in" and nothing else.
  [[nodiscard]] std::string confined(unsigned access, const std::function<std::string()>& body) const {
    return as_starter(GetParam(), [&] {
      confine(access);
      return body();
    });
  }

  void confine(unsigned access) const {
    view::Plan view;
    view.anchors.push_back({.path = scratch / "in",
                            .node = view::Node::Folder,
                            .identity = {},
                            .access = access,
                            .mounted = true,
                            .places = {}});
    std::vector<Fd> anchors;
    anchors.push_back(sys::open_at(scratch / "in", O_PATH, sys::Resolve::NoLinks));
    Plan plan = landlock::plan(view, probe());
    // Of the view's own places some are not there on every host, and the scratch folder lies below "/".
    std::erase_if(plan.rules, [](const Rule& rule) { return rule.anchor == Rule::kInView && rule.path != "/tmp"; });
    check(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl");
    enforce(plan, anchors);
  }

  [[nodiscard]] std::string in(const std::string& name) const { return scratch / ("in/" + name); }
  [[nodiscard]] std::string out(const std::string& name) const { return scratch / ("out/" + name); }

  Scratch scratch;
};
INSTANTIATE_TEST_SUITE_P(, Landlock, test::either_starter(), test::name_of);

bool opens(const std::string& path, int flags) { return static_cast<bool>(Fd(::open(path.c_str(), flags, 0600))); }

bool starts(const std::string& path) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::execl(path.c_str(), "plugin", "exit", "0", nullptr);
    ::_exit(errno == EACCES ? 13 : 99);
  }
  return test::status_of(child) == 0;
}

TEST_P(Landlock, ReadsOnlyWhatIsGranted) {
  EXPECT_EQ(
      confined(view::kRead,
               [&] {
                 return all({expect(opens(in("file"), O_RDONLY), "the granted file"),
                             expect(opens(in("sub"), O_RDONLY | O_DIRECTORY), "the granted folder"),
                             expect_failure(!opens(out("file"), O_RDONLY), EACCES, "the other file"),
                             expect_failure(!opens(out("sub"), O_RDONLY | O_DIRECTORY), EACCES, "the other folder"),
                             expect_failure(!opens("/etc/passwd", O_RDONLY), EACCES, "/etc/passwd")});
               }),
      "");
}

TEST_P(Landlock, AReadGrantIsNoWriteGrant) {
  EXPECT_EQ(confined(view::kRead,
                     [&] {
                       return all({expect_failure(!opens(in("file"), O_WRONLY), EACCES, "write"),
                                   expect_failure(!opens(in("new"), O_WRONLY | O_CREAT), EACCES, "make"),
                                   expect_failure(::unlink(in("file").c_str()) != 0, EACCES, "remove"),
                                   expect_failure(::mkdir(in("folder").c_str(), 0700) != 0, EACCES, "make a folder"),
                                   expect(!starts(in("program")), "a program was started")});
                     }),
            "");
}

TEST_P(Landlock, AnExecGrantStartsPrograms) {
  EXPECT_EQ(confined(view::kRead | view::kExec,
                     [&] {
                       return all({expect(starts(in("program")), "the granted program"),
                                   expect(!starts(out("program")), "the other one")});
                     }),
            "");
}

TEST_P(Landlock, ALibraryGrantStartsNone) {
  EXPECT_EQ(confined(view::kRead | view::kLibrary, [&] { return expect(!starts(in("program")), "it was started"); }),
            "");
}

TEST_P(Landlock, AWriteGrantMakesChangesAndRemovesEverythingButDevices) {
  const auto both = [&](const char* what, const std::function<bool(const std::string&)>& act) {
    return all({expect(act(scratch / "in"), std::string(what) + " where it is granted"),
                expect_failure(!act(scratch / "out"), EACCES, std::string(what) + " beside it")});
  };
  EXPECT_EQ(
      confined(
          view::kRead | view::kWrite,
          [&] {
            return all(
                {both("write-file", [](const std::string& at) { return opens(at + "/file", O_WRONLY); }),
                 both("make-reg", [](const std::string& at) { return opens(at + "/new", O_WRONLY | O_CREAT); }),
                 both("make-dir", [](const std::string& at) { return ::mkdir((at + "/made").c_str(), 0700) == 0; }),
                 both("make-sym", [](const std::string& at) { return ::symlink("x", (at + "/link").c_str()) == 0; }),
                 both("make-fifo", [](const std::string& at) { return ::mkfifo((at + "/pipe").c_str(), 0600) == 0; }),
                 both("remove-file", [](const std::string& at) { return ::unlink((at + "/other").c_str()) == 0; }),
                 both("remove-dir", [](const std::string& at) { return ::rmdir((at + "/empty").c_str()) == 0; })});
          }),
      "");
}

TEST_P(Landlock, NoGrantMakesADeviceNode) {
  const auto make = [&](mode_t kind) { return ::mknod(in("node").c_str(), kind | 0600, 0x103); };
  EXPECT_EQ(confined(view::kRead | view::kWrite,
                     [&] {
                       return all({expect_failure(make(S_IFCHR) != 0, EACCES, "a character device"),
                                   expect_failure(make(S_IFBLK) != 0, EACCES, "a block device")});
                     }),
            "");
}

TEST_P(Landlock, FromTheSecondAbiOnFilesMoveWithinGrantsOnly) {
  if (probe().abi < 2) GTEST_SKIP() << "Landlock ABI " << probe().abi << " denies every move between folders";
  EXPECT_EQ(
      confined(view::kRead | view::kWrite,
               [&] {
                 return all(
                     {expect(::rename(in("file").c_str(), in("sub/file").c_str()) == 0, "within the grant"),
                      expect(::rename(in("sub/file").c_str(), out("stolen").c_str()) != 0, "out of the grant"),
                      expect(::rename(out("file").c_str(), in("taken").c_str()) != 0, "into the grant"),
                      expect(::link(out("file").c_str(), in("linked").c_str()) != 0, "a hard link into the grant")});
               }),
      "");
}

TEST_P(Landlock, FromTheThirdAbiOnAFileIsNotTruncatedWithoutAWriteGrant) {
  if (probe().abi < 3) GTEST_SKIP() << "Landlock ABI " << probe().abi << " knows no truncate";
  EXPECT_EQ(confined(view::kRead,
                     [&] {
                       return all({expect_failure(::truncate(in("file").c_str(), 0) != 0, EACCES, "truncate(2)"),
                                   expect_failure(!opens(in("file"), O_RDONLY | O_TRUNC), EACCES, "O_TRUNC")});
                     }),
            "");
  EXPECT_EQ(confined(view::kRead | view::kWrite,
                     [&] { return expect(::truncate(in("file").c_str(), 0) == 0, "the control"); }),
            "");
}

TEST_P(Landlock, FromTheSixthAbiOnNoSignalLeavesTheDomain) {
  if (probe().abi < 6) GTEST_SKIP() << "Landlock ABI " << probe().abi << " has no scopes";
  const sys::SocketPair pair = sys::socket_pair();
  const pid_t outsider = ::fork();
  if (outsider == 0) {
    if (::setresuid(starter_uid(), starter_uid(), starter_uid()) != 0) ::_exit(1);
    test::send_text(pair.theirs, "who it should be");
    for (;;) ::pause();
  }
  (void)test::receive_text(pair.ours);
  EXPECT_EQ(as_starter(GetParam(),
                       [&] {
                         std::string text = expect(::kill(outsider, 0) == 0, "the control: before");
                         confine(view::kRead);
                         text += expect_failure(::kill(outsider, SIGTERM) != 0, EPERM, "a signal to the outsider");
                         const pid_t insider = ::fork();
                         if (insider == 0)
                           for (;;) ::pause();
                         text += expect(::kill(insider, SIGKILL) == 0, "the control: a signal within the domain");
                         (void)test::status_of(insider);
                         return text;
                       }),
            "");
  EXPECT_EQ(::kill(outsider, SIGKILL), 0);
  EXPECT_EQ(test::status_of(outsider), 128 + SIGKILL);
}

TEST_P(Landlock, FromTheSixthAbiOnNoAbstractSocketOutsideIsReached) {
  if (probe().abi < 6) GTEST_SKIP() << "Landlock ABI " << probe().abi << " has no scopes";
  const Fd server(check(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket"));
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  const std::string text = "jail-test-" + std::to_string(::getpid());
  std::memcpy(name.sun_path + 1, text.data(), text.size());
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + text.size());
  check(::bind(server.get(), reinterpret_cast<sockaddr*>(&name), size), "bind");
  check(::listen(server.get(), 8), "listen");
  const auto connects = [&] {
    const Fd client(check(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket"));
    return ::connect(client.get(), reinterpret_cast<const sockaddr*>(&name), size) == 0;
  };
  EXPECT_EQ(as_starter(GetParam(), [&] { return expect(connects(), "the control: before"); }), "");
  EXPECT_EQ(confined(view::kRead, [&] { return expect_failure(!connects(), EPERM, "connect"); }), "");
}

TEST_P(Landlock, EveryThreadAndChildStartedLaterIsConfinedToo) {
  EXPECT_EQ(
      confined(
          view::kRead,
          [&] {
            bool thread_read = true;
            std::thread([&] { thread_read = opens(out("file"), O_RDONLY); }).join();
            const int child = test::in_child([&] { return !opens(out("file"), O_RDONLY); });
            return all({expect(!thread_read, "a thread reads the other file"), expect(child == 0, "a child reads it")});
          }),
      "");
}

TEST_P(Landlock, WhatWasOpenBeforeStaysUsable) {
  EXPECT_EQ(as_starter(GetParam(),
                       [&] {
                         const Fd file(::open(out("file").c_str(), O_RDONLY));
                         confine(view::kRead);
                         char byte = 0;
                         return expect(::read(file.get(), &byte, 1) == 1,
                                       "the descriptor is dead: the supervisor's own would be, too");
                       }),
            "");
}

TEST(LandlockOfAUser, NeedsNoNewPrivilegesAndSaysSo) {
  if (probe().abi == 0) GTEST_SKIP() << "this kernel has no Landlock";
  EXPECT_NE(as_starter(test::Starter::User,
                       []() -> std::string {
                         enforce(landlock::plan({}, {1}), {});
                         return "";
                       })
                .find("landlock_restrict_self"),
            std::string::npos);
}

TEST_P(Landlock, IsReadBackByVerify) {
  EXPECT_EQ(as_starter(GetParam(), [] { return expect(!verify(), "it is there before it was enforced"); }), "");
  EXPECT_EQ(confined(view::kRead, [] { return expect(verify(), "it is not there"); }), "");
}

TEST_P(Landlock, IsReadBackByVerifyInAView) {
  const auto in_view = [](bool confined) {
    view::Plan nothing;
    nothing.temporary_bytes = 1 << 20;
    return test::in_view(
        GetParam(), [&] { return nothing; },
        [=] {
          sys::drop_all_capabilities();
          check(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl");
          if (confined) enforce(landlock::plan({}, probe()), {});
          return expect(verify() == confined, confined ? "it is not there" : "it seems to be there");
        });
  };
  EXPECT_EQ(in_view(true), "");
  EXPECT_EQ(in_view(false), "");
}

TEST_P(Landlock, ThatAllowsNothingAllowsNothing) {
  EXPECT_EQ(as_starter(GetParam(),
                       [&] {
                         check(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl");
                         enforce_nothing_allowed(probe());
                         return all({expect_failure(!opens(in("file"), O_RDONLY), EACCES, "read"),
                                     expect_failure(!opens("/", O_RDONLY), EACCES, "list /"),
                                     expect_failure(!opens(in("new"), O_WRONLY | O_CREAT), EACCES, "make"),
                                     expect(!starts(in("program")), "a program was started")});
                       }),
            "");
}

// A listener for each of two ports; who may connect to one of them connects to no other, and binds to none.
TEST_P(Landlock, ThatAllowsAPortAllowsNoOther) {
  if (probe().abi < kNetworkAbi) GTEST_SKIP() << "Landlock knows no ports here";
  EXPECT_EQ(as_starter(GetParam(),
                       [&] {
                         const auto bound = [](sockaddr_in& at) {
                           Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
                           at.sin_family = AF_INET;
                           at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
                           socklen_t size = sizeof at;
                           const auto address = reinterpret_cast<sockaddr*>(&at);
                           const bool listens = ::bind(socket.get(), address, size) == 0 &&
                                                ::listen(socket.get(), 1) == 0 &&
                                                ::getsockname(socket.get(), address, &size) == 0;
                           return listens ? std::move(socket) : Fd();
                         };
                         const auto connects = [](const sockaddr_in& to) {
                           const Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
                           return ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0;
                         };
                         sockaddr_in named{}, other{}, third{};
                         const Fd one = bound(named), two = bound(other);
                         const std::string before = expect(connects(named) && connects(other), "the control failed");
                         check(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl");
                         const std::uint16_t port = ntohs(named.sin_port);
                         enforce_nothing_allowed(probe(), std::span(&port, 1));
                         return all({before, expect(connects(named), "the port that is allowed"),
                                     expect_failure(!connects(other), EACCES, "connect to another"),
                                     expect_failure(!bound(third), EACCES, "bind")});
                       }),
            "");
}

// One path that the kernel refuses must not leave the others without a rule (OpenShell#677): nothing is enforced then.
TEST_P(Landlock, ARuleThatCannotBeAddedIsAnErrorNotALessStrictDomain) {
  EXPECT_EQ(as_starter(GetParam(),
                       [&]() -> std::string {
                         view::Plan view;
                         view.anchors.push_back({.path = in("file"),
                                                 .node = view::Node::Folder,
                                                 .identity = {},
                                                 .access = view::kRead | view::kWrite,
                                                 .mounted = true,
                                                 .places = {}});
                         std::vector<Fd> anchors;
                         anchors.push_back(
                             sys::open_at(in("file"), O_PATH, sys::Resolve::NoLinks));  // a file with rights of folders
                         check(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl");
                         try {
                           enforce(landlock::plan(view, probe()), anchors);
                           return "no error";
                         } catch (const SysError& error) {
                           return expect(std::string(error.what()).find(in("file")) != std::string::npos, error.what());
                         }
                       }),
            "");
}

}  // namespace
}  // namespace jail::confine::landlock
