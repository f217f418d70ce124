#include "run/ending.h"

#include <signal.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "run/exit_status.h"

namespace jail::run {
namespace {

using event::Outcome;

std::uint64_t milliseconds(const timeval& time) {
  return static_cast<std::uint64_t>(time.tv_sec) * 1000 + static_cast<std::uint64_t>(time.tv_usec) / 1000;
}

void end(Ending& ending, Outcome outcome, int exit_status, std::string reason) {
  ending.record.outcome = outcome;
  ending.record.reason = std::move(reason);
  ending.exit_status = exit_status;
}

bool ran_out_of_memory(const Seen& seen) {
  return WIFSIGNALED(seen.plugin.status) && WTERMSIG(seen.plugin.status) == SIGKILL &&
         seen.out_of_memory != Group::OutOfMemory::No;
}

void end_for_memory(Ending& ending, Group::OutOfMemory whose) {
  ending.record.signal = SIGKILL;
  end(ending, Outcome::Oom, kExitSignal + SIGKILL,
      whose == Group::OutOfMemory::Own
          ? "limits.memory was reached: the kernel ended every process of the jail"
          : "the machine, or a control group around the jail, ran out of memory: the kernel ended the jail");
}

Outcome outcome_of(int signal) {
  if (signal == SIGSYS) return Outcome::Seccomp;
  if (signal == SIGXCPU) return Outcome::Timeout;
  if (signal == SIGKILL) return Outcome::Killed;
  return Outcome::Signaled;
}

void end_by_plugin(Ending& ending, int status) {
  if (WIFEXITED(status)) {
    ending.record.exit = WEXITSTATUS(status);
    return end(ending, Outcome::Exited, WEXITSTATUS(status), {});
  }
  const int signal = WTERMSIG(status);
  ending.record.signal = signal;
  end(ending, outcome_of(signal), kExitSignal + signal, signal == SIGXCPU ? "limits.cpu_time was reached" : "");
}

void end_before_exec(Ending& ending, const Report& failure, const std::string& command) {
  const bool missing = failure.error == ENOENT || failure.error == ENOTDIR;
  const int tried = missing ? kExitNotFound : kExitNotExecutable;
  const bool is_exec = failure.kind == ReportKind::ExecFailed;
  end(ending, Outcome::SetupError, is_exec ? tried : kExitJailFailed,
      (is_exec ? "execve '" + command + "': " : "seccomp: ") + std::strerror(failure.error));
}

event::Accounts accounts_of(const Seen& seen) {
  const rusage& plugin = seen.plugin.usage;
  const rusage& init = seen.init.usage;
  const sys::Use& looked = seen.looked;
  event::Accounts accounts;
  accounts.wall_ms = seen.wall_ms;
  accounts.user_ms = seen.use.user_ms.value_or(
      std::max(looked.user_ms, milliseconds(plugin.ru_utime) + milliseconds(init.ru_utime)));
  accounts.sys_ms = seen.use.system_ms.value_or(
      std::max(looked.system_ms, milliseconds(plugin.ru_stime) + milliseconds(init.ru_stime)));
  accounts.throttled_ms = seen.use.throttled_ms;
  accounts.memory_peak = seen.use.memory_peak.value_or(
      std::max(looked.memory, static_cast<std::uint64_t>(plugin.ru_maxrss) * 1024));
  accounts.processes_peak = seen.use.processes_peak;
  if (!accounts.processes_peak && looked.processes > 0) accounts.processes_peak = looked.processes;
  accounts.blocks_read = static_cast<std::uint64_t>(plugin.ru_inblock + init.ru_inblock);
  accounts.blocks_written = static_cast<std::uint64_t>(plugin.ru_oublock + init.ru_oublock);
  accounts.bytes_read = seen.use.read;
  accounts.bytes_written = seen.use.written;
  return accounts;
}

}  // namespace

std::uint64_t cpu_ms(const sys::Ended& process) {
  return milliseconds(process.usage.ru_utime) + milliseconds(process.usage.ru_stime);
}

Ending ending_of(const Seen& seen) {
  const Causes& causes = seen.causes;
  constexpr int kKilled = kExitSignal + SIGKILL;
  Ending ending;
  ending.record.accounts = accounts_of(seen);
  ending.record.limits = seen.limits;
  if (causes.stopped) end(ending, Outcome::Killed, kKilled, *causes.stopped);
  else if (causes.timed_out) end(ending, Outcome::Timeout, kExitTimeout, "limits.time was reached");
  else if (causes.breach) end(ending, Outcome::Killed, kKilled, *causes.breach);
  else if (causes.blinded) end(ending, Outcome::MonitorLost, kExitJailFailed, *causes.blinded);
  else if (causes.orphaned) end(ending, Outcome::Killed, kKilled, "the process that started jail ended");
  else if (causes.exec_failure) end_before_exec(ending, *causes.exec_failure, seen.command);
  else if (ran_out_of_memory(seen)) end_for_memory(ending, seen.out_of_memory);
  else end_by_plugin(ending, seen.plugin.status);
  return ending;
}

}  // namespace jail::run
