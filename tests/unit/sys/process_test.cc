// Processes by clone(2) and pidfds, and what is closed before one of them is left alone.
#include "sys/process.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "base/error.h"

namespace jail::sys {
namespace {

// Runs `body` in a child made by fork_into(); its exit status.
template <typename Body>
int status_in_child(Body body) {
  const Child child = fork_into(0);
  if (child.pid == 0) ::_exit(body());
  const Ended ended = reap(child.pid);
  return WIFEXITED(ended.status) ? WEXITSTATUS(ended.status) : 128 + WTERMSIG(ended.status);
}

TEST(ForkInto, GivesTheParentAPidfdThatTellsOfTheEnd) {
  const Child child = fork_into(0);
  if (child.pid == 0) ::_exit(7);
  pollfd polled{child.pidfd.get(), POLLIN, 0};
  EXPECT_EQ(::poll(&polled, 1, 10'000), 1);
  EXPECT_TRUE(::fcntl(child.pidfd.get(), F_GETFD) & FD_CLOEXEC);
  const Ended ended = reap(child.pid);
  EXPECT_EQ(ended.pid, child.pid);
  EXPECT_EQ(WEXITSTATUS(ended.status), 7);
}

TEST(ForkInto, TheChildHasNoPidfdOfItself) {
  EXPECT_EQ(status_in_child([] { return 0; }), 0);
  const Child child = fork_into(0);
  if (child.pid == 0) ::_exit(child.pidfd ? 1 : 0);
  EXPECT_EQ(WEXITSTATUS(reap(child.pid).status), 0);
}

// What a child that outlives its parent's exec does to itself must not show in the parent (SECURITY B12).
TEST(ForkInto, SharesNoMemory) {
  static std::atomic<int> shared = 1;
  ASSERT_EQ(dumpable(), Dumpable::Yes);
  EXPECT_EQ(status_in_child([] {
              shared = 2;
              set_dumpable(Dumpable::No);
              return 0;
            }),
            0);
  EXPECT_EQ(shared, 1);
  EXPECT_EQ(dumpable(), Dumpable::Yes);
}

TEST(ForkIntoDeathTest, RefusesAProcessOfSeveralThreads) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        std::atomic<bool> done = false;
        std::thread other([&] {
          while (!done) ::usleep(1000);
        });
        (void)fork_into(0);
      },
      "single_threaded");
}

TEST(PidfdSendSignal, TellsWhenTheProcessIsGone) {
  const Child child = fork_into(0);
  if (child.pid == 0) {
    ::pause();
    ::_exit(0);
  }
  EXPECT_TRUE(pidfd_send_signal(child.pidfd, SIGTERM));
  EXPECT_EQ(WTERMSIG(reap(child.pid).status), SIGTERM);
  EXPECT_FALSE(pidfd_send_signal(child.pidfd, SIGTERM));
}

TEST(ReapAny, HasNothingToSayWhileNobodyEnded) {
  EXPECT_EQ(reap_any().pid, 0);
  const Child child = fork_into(0);
  if (child.pid == 0) {
    ::pause();
    ::_exit(0);
  }
  EXPECT_EQ(reap_any().pid, 0);
  EXPECT_TRUE(pidfd_send_signal(child.pidfd, SIGKILL));
  pollfd polled{child.pidfd.get(), POLLIN, 0};
  ASSERT_EQ(::poll(&polled, 1, 10'000), 1);
  EXPECT_EQ(reap_any().pid, child.pid);
}

bool is_open(int fd) { return ::fcntl(fd, F_GETFD) >= 0; }

TEST(CloseFrom, LeavesWhatIsKeptAndWhatIsBelow) {
  EXPECT_EQ(status_in_child([] {
              for (const int fd : {20, 21, 22, 1500}) ::dup2(0, fd);
              if (!is_open(1500)) return 9;
              close_from(20, {5, 21, 21});
              return is_open(0) && is_open(21) && !is_open(20) && !is_open(22) && !is_open(1500) ? 0 : 1;
            }),
            0);
}

TEST(CloseFrom, WithNothingToKeepLeavesNothing) {
  EXPECT_EQ(status_in_child([] {
              close_from(0, {});
              return is_open(0) || is_open(1) || is_open(2) ? 1 : 0;
            }),
            0);
}

TEST(CloseOnExecFrom, MarksAllButWhatIsTakenBack) {
  EXPECT_EQ(status_in_child([] {
              for (const int fd : {20, 21}) ::dup2(0, fd);
              close_on_exec_from(20);
              keep_on_exec(21);
              return (::fcntl(20, F_GETFD) & FD_CLOEXEC) != 0 && (::fcntl(21, F_GETFD) & FD_CLOEXEC) == 0 ? 0 : 1;
            }),
            0);
}

TEST(Guards, ReadBackAsSet) {
  EXPECT_EQ(status_in_child([] {
              set_dumpable(Dumpable::No);
              set_parent_death_signal(SIGKILL);
              set_no_new_privileges();
              return dumpable() == Dumpable::No && parent_death_signal() == SIGKILL && no_new_privileges() ? 0 : 1;
            }),
            0);
  EXPECT_EQ(parent_death_signal(), 0);
  EXPECT_FALSE(no_new_privileges());
}

TEST(SetLimit, SetsBothAndNeverGoesAboveTheHardLimit) {
  EXPECT_EQ(status_in_child([] {
              set_limit({RLIMIT_NOFILE, 50});
              set_limit({RLIMIT_NOFILE, 5000});
              rlimit current{};
              ::getrlimit(RLIMIT_NOFILE, &current);
              return current.rlim_cur == 50 && current.rlim_max == 50 ? 0 : 1;
            }),
            0);
}

TEST(SetLimit, LeavesTheRoomThatIsAskedFor) {
  EXPECT_EQ(status_in_child([] {
              set_limit({RLIMIT_CPU, 100, 1});
              rlimit current{};
              ::getrlimit(RLIMIT_CPU, &current);
              return current.rlim_cur == 100 && current.rlim_max == 101 ? 0 : 1;
            }),
            0);
}

}  // namespace
}  // namespace jail::sys
