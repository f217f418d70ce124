#include "run/ending.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <cerrno>

#include "run/exit_status.h"

namespace jail::run {
namespace {

using event::Outcome;

Seen ended_with(int status) {
  Seen seen;
  seen.plugin.status = status;
  return seen;
}

constexpr int status_of_exit(int code) { return code << 8; }

TEST(Ending, IsThePluginsOwnWhereNobodyElseEndedIt) {
  const Ending exited = ending_of(ended_with(status_of_exit(3)));
  EXPECT_EQ(exited.exit_status, 3);
  EXPECT_EQ(exited.record.outcome, Outcome::Exited);
  EXPECT_EQ(exited.record.exit, 3);
  const Ending signaled = ending_of(ended_with(SIGSEGV));
  EXPECT_EQ(signaled.exit_status, kExitSignal + SIGSEGV);
  EXPECT_EQ(signaled.record.outcome, Outcome::Signaled);
  EXPECT_EQ(ending_of(ended_with(SIGSYS)).record.outcome, Outcome::Seccomp);
  EXPECT_EQ(ending_of(ended_with(SIGXCPU)).record.reason, "limits.cpu_time was reached");
}

TEST(Ending, HasTheFirstCauseOfSeveral) {
  Seen seen = ended_with(SIGKILL);
  EXPECT_EQ(ending_of(seen).record.outcome, Outcome::Killed);
  seen.out_of_memory = Group::OutOfMemory::Own;
  EXPECT_EQ(ending_of(seen).record.outcome, Outcome::Oom);
  seen.causes.orphaned = true;
  EXPECT_EQ(ending_of(seen).record.reason, "the process that started jail ended");
  seen.causes.blinded = "events were lost";
  EXPECT_EQ(ending_of(seen).exit_status, kExitJailFailed);
  seen.causes.timed_out = true;
  EXPECT_EQ(ending_of(seen).exit_status, kExitTimeout);
  seen.causes.stopped = "killed by the operator";
  EXPECT_EQ(ending_of(seen).record.reason, "killed by the operator");
}

TEST(Ending, OfMemoryIsOfWhoWasKilledForIt) {
  Seen seen = ended_with(status_of_exit(0));
  seen.out_of_memory = Group::OutOfMemory::Own;  // of another process, by itself
  EXPECT_EQ(ending_of(seen).record.outcome, Outcome::Exited);
}

TEST(Ending, SaysWhatCouldNotBeStarted) {
  Seen seen = ended_with(SIGKILL);
  seen.command = "tool";
  seen.causes.exec_failure = Report{.kind = ReportKind::ExecFailed, .error = ENOENT};
  EXPECT_EQ(ending_of(seen).exit_status, kExitNotFound);
  EXPECT_EQ(ending_of(seen).record.reason, "execve 'tool': No such file or directory");
  seen.causes.exec_failure->error = EACCES;
  EXPECT_EQ(ending_of(seen).exit_status, kExitNotExecutable);
  seen.causes.exec_failure->kind = ReportKind::Failed;
  EXPECT_EQ(ending_of(seen).exit_status, kExitJailFailed);
}

TEST(Ending, CountsByTheGroupWhatItKnowsElseByProcess) {
  Seen seen = ended_with(0);
  seen.plugin.usage.ru_utime = {.tv_sec = 1, .tv_usec = 2000};
  seen.init.usage.ru_utime = {.tv_sec = 0, .tv_usec = 3000};
  seen.plugin.usage.ru_maxrss = 4;  // of 1024 bytes
  EXPECT_EQ(ending_of(seen).record.accounts.user_ms, 1005U);
  EXPECT_EQ(ending_of(seen).record.accounts.memory_peak, 4096U);
  EXPECT_FALSE(ending_of(seen).record.accounts.bytes_read);
  EXPECT_FALSE(ending_of(seen).record.accounts.processes_peak);
  seen.looked = {.processes = 3, .user_ms = 2000, .system_ms = 0, .memory = 9000};
  EXPECT_EQ(ending_of(seen).record.accounts.user_ms, 2000U);
  EXPECT_EQ(ending_of(seen).record.accounts.memory_peak, 9000U);
  EXPECT_EQ(ending_of(seen).record.accounts.processes_peak, 3U);
  seen.use.user_ms = 7;
  seen.use.memory_peak = 8192;
  EXPECT_EQ(ending_of(seen).record.accounts.user_ms, 7U);
  EXPECT_EQ(ending_of(seen).record.accounts.memory_peak, 8192U);
}

}  // namespace
}  // namespace jail::run
