// The namespaces of a jail on the running kernel: each is another one than the host's, nothing comes in from outside,
// and no further one can be made, filter or no filter.
#include "confine/namespaces.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/sched.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <cerrno>
#include <fstream>
#include <map>

#include "jailed.h"
#include "sys/capabilities.h"

namespace jail::confine::namespaces {
namespace {

using test::all;
using test::expect;
using test::expect_failure;
using test::in_jail;
using test::Scratch;

constexpr const char* kKinds[] = {"user", "pid", "mnt", "net", "ipc", "uts", "cgroup"};

std::map<std::string, std::string> own_namespaces() {
  std::map<std::string, std::string> all;
  for (const std::string kind : kKinds) {
    char text[64];
    const ssize_t size = ::readlink(("/proc/self/ns/" + kind).c_str(), text, sizeof text);
    if (size > 0) all[kind] = std::string(text, static_cast<std::size_t>(size));
  }
  return all;
}

class Namespaces : public test::ForEitherStarter {};
INSTANTIATE_TEST_SUITE_P(, Namespaces, test::either_starter(), test::name_of);

TEST_P(Namespaces, AreAllOthersThanTheHosts) {
  const auto hosts = own_namespaces();
  ASSERT_EQ(hosts.size(), std::size(kKinds));
  EXPECT_EQ(in_jail(GetParam(),
                    [&] {
                      make_private();
                      make_rest();
                      std::string text;
                      const auto here = own_namespaces();
                      for (const std::string kind : kKinds)
                        text += expect(here.at(kind) != hosts.at(kind), kind + " is the host's");
                      return text;
                    }),
            "");
}

TEST_P(Namespaces, TellNothingOfTheHostsName) {
  EXPECT_EQ(in_jail(GetParam(),
                    [] {
                      make_rest();
                      char name[64] = "";
                      ::gethostname(name, sizeof name);
                      return expect(name == std::string("jail"), std::string("it is called ") + name);
                    }),
            "");
}

bool talks_over_loopback() {
  const Fd server(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)),
      client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* raw = reinterpret_cast<sockaddr*>(&address);
  return ::bind(server.get(), raw, size) == 0 && ::listen(server.get(), 1) == 0 &&
         ::getsockname(server.get(), raw, &size) == 0 && ::connect(client.get(), raw, size) == 0;
}

TEST_P(Namespaces, HaveALoopbackOfTheirOwnAndNoOtherInterface) {
  EXPECT_EQ(in_jail(GetParam(),
                    [] {
                      make_rest();
                      std::string text = expect(talks_over_loopback(), "loopback does not work");
                      struct if_nameindex* const interfaces = ::if_nameindex();
                      for (auto* one = interfaces; one != nullptr && one->if_index != 0; ++one)
                        text += expect(one->if_name == std::string("lo"), std::string("there is ") + one->if_name);
                      ::if_freenameindex(interfaces);
                      return text;
                    }),
            "");
}

TEST_P(Namespaces, TheHostsLoopbackIsAnother) {
  const Fd server(check(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket"));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  check(::bind(server.get(), reinterpret_cast<sockaddr*>(&address), size), "bind");
  check(::listen(server.get(), 4), "listen");
  check(::getsockname(server.get(), reinterpret_cast<sockaddr*>(&address), &size), "getsockname");
  const auto connects = [&] {
    const Fd client(check(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket"));
    return ::connect(client.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  };
  EXPECT_TRUE(connects()) << "the control";
  EXPECT_EQ(in_jail(GetParam(),
                    [&] {
                      make_rest();
                      return expect_failure(!connects(), ECONNREFUSED, "connect to the host's loopback");
                    }),
            "");
}

// ---- no more of them

struct Kind {
  const char* name;
  std::uint64_t flag;
};
constexpr Kind kMore[] = {{"user", CLONE_NEWUSER},     {"mnt", CLONE_NEWNS},   {"pid", CLONE_NEWPID},
                          {"net", CLONE_NEWNET},       {"ipc", CLONE_NEWIPC},  {"uts", CLONE_NEWUTS},
                          {"cgroup", CLONE_NEWCGROUP}, {"time", CLONE_NEWTIME}};

std::string try_each(int wanted) {
  std::string text;
  for (const Kind& kind : kMore) {
    const int error = test::in_child([&] { return ::unshare(static_cast<int>(kind.flag)) == 0; }) == 0 ? 0 : ENOSPC;
    text += expect(error == wanted, std::string(kind.name) + (error == 0 ? " can be made" : " cannot be made"));
  }
  return text;
}

TEST_P(Namespaces, CannotBeMadeOnceForbidden) {
  EXPECT_EQ(in_jail(GetParam(),
                    [] {
                      std::string text = try_each(0);  // the control
                      forbid_more(open_settings());
                      for (const Kind& kind : kMore)
                        text += expect_failure(::unshare(static_cast<int>(kind.flag)) != 0, ENOSPC, kind.name);
                      return text;
                    }),
            "");
}

TEST_P(Namespaces, CannotBeMadeByTheOtherCallsEither) {
  EXPECT_EQ(in_jail(GetParam(),
                    [] {
                      forbid_more(open_settings());
                      clone_args arguments{};
                      arguments.flags = CLONE_NEWUSER;
                      arguments.exit_signal = SIGCHLD;
                      const long by_clone =
                          ::syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, nullptr, nullptr, nullptr, nullptr);
                      if (by_clone == 0) ::_exit(0);
                      std::string text = expect_failure(by_clone < 0, ENOSPC, "clone");
                      const long by_clone3 = ::syscall(SYS_clone3, &arguments, sizeof arguments);
                      if (by_clone3 == 0) ::_exit(0);
                      text += expect_failure(by_clone3 < 0, ENOSPC, "clone3");
                      const long context = ::syscall(SYS_fsopen, "tmpfs", 0);
                      (void)::syscall(SYS_fsconfig, context, 6, nullptr, nullptr, 0);  // FSCONFIG_CMD_CREATE
                      return text + expect_failure(::syscall(SYS_fsmount, context, 0, 0) < 0, ENOSPC, "fsmount");
                    }),
            "");
}

TEST_P(Namespaces, TheLimitsCannotBeRaisedAgainWithoutCapabilities) {
  EXPECT_EQ(in_jail(GetParam(),
                    [] {
                      const Fd settings = open_settings();
                      forbid_more(settings);
                      const auto raises = [&] {
                        const Fd file(::openat(settings.get(), "user/max_user_namespaces", O_WRONLY));
                        return file && ::write(file.get(), "9", 1) == 1;
                      };
                      std::string text = expect(raises(), "the control: with capabilities it can be raised");
                      forbid_more(settings);
                      // As the plugin is: no capability in this user namespace.
                      return text + expect(test::in_child([&] {
                                             return ::setresuid(::getuid(), ::getuid(), ::getuid()) == 0 && [&] {
                                               sys::drop_all_capabilities();
                                               return !raises();
                                             }();
                                           }) == 0,
                                           "a process without capabilities raises it");
                    }),
            "");
}

// ---- mounts of the host

// A folder that is a shared mount, as "/" is under systemd, and the jail in it.
std::string with_shared_mount(test::Starter starter, const Scratch& scratch, const test::Inside& inside,
                              const test::Outside& outside) {
  return test::as_starter(starter, [&]() -> std::string {
    const uid_t uid = ::geteuid();
    const gid_t gid = ::getegid();
    check(::unshare(uid == 0 ? CLONE_NEWNS : CLONE_NEWNS | CLONE_NEWUSER), "unshare");
    if (uid != 0) confine::identity::write_own_maps(uid, gid);
    check(::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr), "private");
    check(::mount(scratch.path().c_str(), scratch.path().c_str(), nullptr, MS_BIND, nullptr), "bind");
    check(::mount(nullptr, scratch.path().c_str(), nullptr, MS_SHARED, nullptr), "shared");
    return test::in_namespaces({}, inside, outside);
  });
}

TEST_P(Namespaces, NoMountThatTheHostMakesLaterComesIn) {
  Scratch scratch;
  scratch.folder("later");
  if (::geteuid() == 0) scratch.give_to(plugin_uid());
  const auto mount_later = [&](pid_t) -> std::string {
    check(::mount("test", (scratch / "later").c_str(), "tmpfs", 0, nullptr), "mount");
    std::ofstream(scratch / "later/file") << "x";
    return "";
  };
  const auto sees_it = [&] { return ::access((scratch / "later/file").c_str(), F_OK) == 0; };
  EXPECT_EQ(with_shared_mount(
                GetParam(), scratch,
                [&](const test::Held& held) {
                  std::string text = expect(!verify(), "the control: there is no shared mount to cut off");
                  held.wait();
                  return text + expect(sees_it(), "the control: the mount does not come in");
                },
                mount_later),
            "");
  EXPECT_EQ(with_shared_mount(
                GetParam(), scratch,
                [&](const test::Held& held) {
                  make_private();
                  std::string text = expect(verify(), "a mount is still shared or a slave");
                  held.wait();
                  return text + expect(!sees_it(), "the mount came in");
                },
                mount_later),
            "");
}

TEST_P(Namespaces, NoMountMadeInsideLeaksOut) {
  Scratch scratch;
  scratch.folder("inside");
  if (::geteuid() == 0) scratch.give_to(plugin_uid());
  EXPECT_EQ(in_jail(GetParam(),
                    [&] {
                      make_private();
                      check(::mount("test", (scratch / "inside").c_str(), "tmpfs", 0, nullptr), "mount");
                      return expect(static_cast<bool>(std::ofstream(scratch / "inside/file")),
                                    "the control: nothing can be made");
                    }),
            "");
  EXPECT_NE(::access((scratch / "inside/file").c_str(), F_OK), 0);
}

// ---- what a failure means

TEST(NamespaceRefusal, OnlyAProofThatTheyCannotBeHadIsNoExhaustion) {
  for (const int error : {EPERM, EACCES}) EXPECT_EQ(classify(error), Refusal::Forbidden) << error;
  for (const int error : {EINVAL, ENOSYS}) EXPECT_EQ(classify(error), Refusal::Unsupported) << error;
  for (const int error : {ENOSPC, EAGAIN, ENOMEM, EMFILE, ENFILE, EUSERS, EIO, 0})
    EXPECT_EQ(classify(error), Refusal::Exhausted) << error;
}

TEST(NamespaceRefusal, IsExplainedToAPerson) {
  for (const int error : {EPERM, EINVAL, ENOSPC}) EXPECT_GT(explain(error).size(), 20U) << error;
}

}  // namespace
}  // namespace jail::confine::namespaces
