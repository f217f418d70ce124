// Who gets nothing, and about whom nothing is told (SECURITY E2, E3).
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <fstream>

#include "scene.h"
#include "sys/cgroup.h"
#include "sys/seccomp.h"

namespace jail::broker {
namespace {

const std::array<sock_filter, 1> kAllowAll{sock_filter{BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW}};

class Attack : public Broker {};

TEST_F(Attack, Control) {
  EXPECT_EQ(told([]() -> const Fd& { static const Child child; return child.pidfd(); }), "");
}

TEST_F(Attack, AStrangersProcess) {
  static const Child others;
  EXPECT_EQ(told([]() -> const Fd& { return others.pidfd(); }), "the process is no child of who asks");
}

TEST_F(Attack, AGrandchild) {
  EXPECT_EQ(told([]() -> const Fd& {
              static Fd grandchild;
              int pipe[2];
              check(::pipe2(pipe, O_CLOEXEC), "pipe2");
              static const sys::Child between = sys::fork_into(0);
              if (between.pid == 0) {
                ::prctl(PR_SET_PDEATHSIG, SIGKILL);
                static const Child child;
                const pid_t pid = child.pid();
                (void)!::write(pipe[1], &pid, sizeof pid);
                for (;;) ::pause();
              }
              pid_t pid = 0;
              (void)!::read(pipe[0], &pid, sizeof pid);
              grandchild = sys::pidfd_open(pid);
              return grandchild;
            }),
            "the process is no child of who asks");
}

TEST_F(Attack, AChildThatHasEnded) {
  EXPECT_EQ(told([]() -> const Fd& { static Child child; child.end(); return child.pidfd(); }), "the child has ended");
}

TEST_F(Attack, AChildThatIsDeadAndNotCollected) {
  EXPECT_EQ(told([]() -> const Fd& {
              static const Child child([] { ::_exit(0); });
              pollfd ended{child.pidfd().get(), POLLIN, 0};
              (void)::poll(&ended, 1, kPatienceMs);
              return child.pidfd();
            }),
            "the child has ended");
}

TEST_F(Attack, AChildThatHasExecuted) {
  EXPECT_EQ(told([]() -> const Fd& {
              static int pipe[2];
              check(::pipe2(pipe, O_CLOEXEC), "pipe2");
              static const Child child([] { ::execl("/bin/sleep", "sleep", "1000", nullptr); });
              ::close(pipe[1]);
              char byte;
              (void)!::read(pipe[0], &byte, 1);  // its end is gone when it has executed
              return child.pidfd();
            }),
            "the child has executed a program");
}

TEST_F(Attack, AChildInTheNamespaceOfAll) {
  EXPECT_EQ(told([]() -> const Fd& { static const Child child([] {}, 0); return child.pidfd(); }),
            "the child is not the first process of a pid namespace");
}

TEST_F(Attack, OneselfAndTheBroker) {
  EXPECT_EQ(told([]() -> const Fd& { static const Fd self = sys::pidfd_open(::getpid()); return self; }),
            "the process is no child of who asks");
  EXPECT_EQ(told([]() -> const Fd& { static const Fd it = sys::pidfd_open(jaild().pid()); return it; }),
            "the process is no child of who asks");
}

TEST_F(Attack, NoChild) {
  EXPECT_EQ(told([]() -> const Fd& { static const Fd none; return none; }),
            "a connection is for one child, by its pidfd");
}

TEST_F(Attack, TheSameChildTwice) {
  EXPECT_EQ(as_user(kAnn,
                    [] {
                      const Child child;
                      const Line one(socket()), other(socket());
                      const std::string first = one.trace(child.pidfd()).refused;
                      return first + "|" + other.trace(child.pidfd()).refused + "|" + one.trace(child.pidfd()).refused;
                    }),
            "|the child is watched already|a connection is for one child, by its pidfd");
}

// In whatever of a jail's the plugin is, to the socket it is its user.
struct Hold {
  const char* name;
  void (*take)();
  const char* said;
};

class Jailed : public Broker, public ::testing::WithParamInterface<Hold> {};

TEST_P(Jailed, GetsNothing) {
  test::Scratch scratch;
  scratch.folder("heard", 0777);
  const std::string said = as_user(kAnn, [&] {
    GetParam().take();
    if (::fork() == 0) {  // a pid namespace holds for children
      const Heard heard = Line(socket()).look();
      std::ofstream(scratch / "heard/what") << (heard.is_closed ? "closed" : heard.refused);
      ::_exit(0);
    }
    ::wait(nullptr);
    return std::string();
  });
  EXPECT_EQ(said, "");
  std::string heard;
  std::getline(std::ifstream(scratch / "heard/what"), heard);
  EXPECT_EQ(heard, GetParam().said);
}

INSTANTIATE_TEST_SUITE_P(
    Tiers, Jailed,
    ::testing::Values(
        Hold{"control", [] {}, ""},
        Hold{"no_new_privileges", [] { sys::set_no_new_privileges(); },
             "who asks has given up new privileges (no_new_privs)"},
        Hold{"user_namespace", [] { sys::unshare(CLONE_NEWUSER); },
             "who asks is in a pid or user namespace of its own"},
        Hold{"pid_namespace", [] { sys::unshare(CLONE_NEWUSER | CLONE_NEWPID); },
             "who asks is in a pid or user namespace of its own"}),
    [](const auto& tier) { return tier.param.name; });

TEST_F(Attack, AFilteredThread) {
  EXPECT_EQ(as_user(kAnn,
                    [] {
                      sys::set_no_new_privileges();
                      (void)sys::seccomp_set_mode_filter(kAllowAll, 0);
                      return Line(socket()).look().refused;
                    }),
            "who asks has given up new privileges (no_new_privs)");
}

TEST_F(Attack, ConfinedAfterItConnected) {
  const auto child = []() -> const Fd& { static const Child forked; return forked.pidfd(); };
  EXPECT_EQ(told([](Line& line) { EXPECT_EQ(line.look().refused, ""); }, child), "");
  EXPECT_EQ(told(
                [](Line& line) {
                  EXPECT_EQ(line.look().refused, "");
                  sys::set_no_new_privileges();
                },
                child),
            "who asks has given up new privileges (no_new_privs)");
}

TEST_F(Attack, AConnectionOfAnothers) {
  EXPECT_EQ(as_user(kAnn,
                    [] {
                      const Line line(socket());
                      std::string said = line.look().refused;
                      const sys::Child thief = sys::fork_into(0);
                      if (thief.pid == 0) ::_exit(line.look().is_closed ? 0 : 1);
                      return said + std::to_string(WEXITSTATUS(sys::reap(thief.pid).status));
                    }),
            "0");
}

TEST_F(Attack, InTheGroupOfAJail) {
  std::string why;
  const auto tree = sys::find_groups();
  const auto group = sys::Cgroup::make(tree ? tree->own : "", "jail-test-" + std::to_string(::getpid()), why);
  if (!group) GTEST_SKIP() << why;
  const sys::Child child = sys::fork_into_group(group->folder());
  if (child.pid == 0) {
    sys::set_ids(kAnn, kAnn);
    ::_exit(Line(socket()).look().refused == "who asks is in the control group of a jail" ? 0 : 1);
  }
  EXPECT_EQ(sys::reap(child.pid).status, 0);
}

// To close a file of a file system in user space may wait for its owner; so who sends one is heard once.
TEST_F(Attack, AFileInPlaceOfAProcess) {
  EXPECT_EQ(as_user(kBob,
                    [] {
                      const Fd file(::eventfd(0, EFD_CLOEXEC));
                      const Heard heard = Line(socket()).trace(file);
                      return std::string(heard.is_closed ? "closed" : heard.refused) +
                             (Line(socket()).look().is_closed ? " for good" : "");
                    }),
            "closed for good");
  EXPECT_EQ(as_user(kAnn, [] { return Line(socket()).look().refused; }), "") << "others are served";
}

TEST_F(Attack, WhatIsNoMessage) {
  for (const std::string& bytes : {std::string("x"), std::string(kRequestBytes, 'x'), std::string(4096, 'x')}) {
    EXPECT_EQ(as_user(kAnn,
                      [&] {
                        const Line line(socket());
                        (void)sys::send_now(line.socket(), bytes.data(), bytes.size());
                        const std::string said = line.hear().refused;
                        return said + (line.hear().is_closed ? ", closed" : "");
                      }),
              "not a message of jail's, closed");
  }
  EXPECT_EQ(as_user(kAnn, [] { return Line(socket()).look().refused; }), "");
}

}  // namespace
}  // namespace jail::broker
