// What becomes of notified calls when whoever listens is gone (SECURITY B3): those that wait and those that come later
// fail, and fail at once.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <chrono>

#include "monitor/calls.h"
#include "seccomp_filtered.h"
#include "sys/process.h"
#include "sys/seccomp.h"

namespace jail::confine::seccomp {
namespace {

// A child under the filter of a jail with a listener. It makes a call that is denied and one that is observed, and
// ends with how many of them were ENOSYS, each twice: the first is waiting when the listener goes.
class Deserted {
 public:
  Deserted() {
    check(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends_), "socketpair");
    program_ = compile(observed(plan({}), monitor::observations(profile::MonitorFiles::All)));
    child_ = sys::fork_into(0);
    if (child_.pid == 0) ::_exit(be_watched());
    int number = -1;
    EXPECT_EQ(::read(ends_[0], &number, sizeof number), static_cast<ssize_t>(sizeof number));
    EXPECT_GE(number, 0) << number;
    if (number >= 0) listener_ = sys::pidfd_getfd(child_.pidfd, number);
  }
  ~Deserted() {
    for (const int end : ends_) ::close(end);
  }

  [[nodiscard]] bool has_call() const {
    seccomp_notif notified;
    return sys::notification_receive(listener_.get(), notified) == 0;
  }
  void leave() { listener_.reset(); }
  int end() { return WEXITSTATUS(sys::reap(child_.pid).status); }

 private:
  int be_watched() {
    sys::set_no_new_privileges();
    const int listener = enforce_listening(program_);
    (void)!::write(ends_[1], &listener, sizeof listener);
    char word = 0;
    (void)!::read(ends_[1], &word, 1);  // until it has been taken over
    ::close(listener);
    int failed = 0;
    for (int i = 0; i < 2; ++i) {
      failed += test::errno_of(SYS_openat, AT_FDCWD, "/", O_RDONLY, 0) == ENOSYS;
      failed += test::errno_of(SYS_unshare, CLONE_NEWUSER) == ENOSYS;
    }
    return failed;
  }

 public:
  void go_on() const { (void)!::write(ends_[0], "x", 1); }

 private:
  int ends_[2] = {-1, -1};
  Program program_;
  sys::Child child_;
  Fd listener_;
};

TEST(SeccompListener, WhoIsDesertedFailsAtOnce) {
  if (!probe().notify) GTEST_SKIP() << "no seccomp notification";
  Deserted plugin;
  plugin.go_on();
  ASSERT_TRUE(plugin.has_call());
  const auto start = std::chrono::steady_clock::now();
  plugin.leave();
  EXPECT_EQ(plugin.end(), 4);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(20)) << "it hangs";
}

}  // namespace
}  // namespace jail::confine::seccomp
