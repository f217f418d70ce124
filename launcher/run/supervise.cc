#include "run/supervise.h"

#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <sys/wait.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>

#include "base/clock.h"
#include "base/error.h"
#include "run/exit_status.h"

namespace jail::run {
namespace {

constexpr int kForwarded[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2};
constexpr std::uint64_t kNsPerMs = 1'000'000;

Fd open_timer() { return Fd(check(::timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK), "timerfd_create")); }

void arm(const Fd& timer, std::uint64_t ms) {
  itimerspec when{};
  when.it_value.tv_sec = static_cast<time_t>(ms / 1000);
  when.it_value.tv_nsec = static_cast<long>(ms % 1000 * kNsPerMs);
  if (ms == 0) when.it_value.tv_nsec = 1;  // 0 would disarm it
  check(::timerfd_settime(timer.get(), 0, &when, nullptr), "timerfd_settime");
}

std::uint64_t milliseconds(const timeval& time) {
  return static_cast<std::uint64_t>(time.tv_sec) * 1000 + static_cast<std::uint64_t>(time.tv_usec) / 1000;
}

class Loop {
 public:
  Loop(Jail& jail, Gate gate, StdioProxy& stdio, const Fd& signals, const Watch& watch)
      : jail_(jail), gate_(std::move(gate)), stdio_(stdio), signals_(signals), watch_(watch), timer_(open_timer()) {
    if (watch_.time_ms) arm(timer_, *watch_.time_ms);
  }

  Ending run() {
    while (!gone_) step();
    stdio_.drain();
    return ending();
  }

 private:
  enum Slot { kSignals, kReports, kInit, kParent, kTimer, kSlots };

  void step() {
    std::vector<pollfd> polled(kSlots);
    polled[kSignals] = {signals_.get(), POLLIN, 0};
    polled[kReports] = {reports_open_ ? jail_.socket().get() : -1, POLLIN, 0};
    polled[kInit] = {jail_.init().pidfd.get(), POLLIN, 0};
    polled[kParent] = {watch_.parent != nullptr && !orphaned_ ? watch_.parent->get() : -1, POLLIN, 0};
    polled[kTimer] = {timer_.get(), POLLIN, 0};
    stdio_.add_to(polled);
    if (TEMP_FAILURE_RETRY(::poll(polled.data(), polled.size(), -1)) < 0) throw SysError(errno, "poll");
    if (polled[kReports].revents != 0) read_report();
    if (polled[kTimer].revents != 0) time_is_up();
    if (polled[kParent].revents != 0) parent_ended();
    stdio_.handle(polled);
    if (polled[kSignals].revents != 0) read_signals();
    if (polled[kInit].revents != 0) reap();
  }

  void read_report() {
    std::optional<Received> received = receive_report(jail_.socket());
    if (!received) reports_open_ = false;
    else report_ = received->report;
  }

  void read_signals() {
    signalfd_siginfo info;
    while (::read(signals_.get(), &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
      const int signal = static_cast<int>(info.ssi_signo);
      if (signal == SIGCHLD) reap();
      else if (signal == SIGWINCH) stdio_.window_changed();
      else (void)sys::pidfd_send_signal(gate_.plugin, signal);
    }
  }

  // As PID 1 of a container other people's orphans are ours to reap, too. The end of our own child is learned from its
  // pidfd: its SIGCHLD may have been read while the jail was being built.
  void reap() {
    for (sys::Ended ended = sys::reap_any(); ended.pid != 0; ended = sys::reap_any()) {
      if (ended.pid != jail_.init().pid) continue;
      jail_.reaped();
      gone_ = true;
      init_ = ended;
    }
  }

  void time_is_up() {
    std::uint64_t expirations = 0;
    if (::read(timer_.get(), &expirations, sizeof expirations) < 0) return;
    if (timed_out_ || watch_.grace_ms == 0) {
      kill_jail();
    } else {
      (void)sys::pidfd_send_signal(gate_.plugin, SIGTERM);
      (void)sys::pidfd_send_signal(gate_.plugin, SIGCONT);  // a stopped plugin would sleep through its grace
      arm(timer_, watch_.grace_ms);
    }
    timed_out_ = true;
  }

  void parent_ended() {
    orphaned_ = true;
    kill_jail();
  }

  void kill_jail() { (void)sys::pidfd_send_signal(jail_.init().pidfd, SIGKILL); }

  Ending ending() {
    // The last report may still be in the socket: pid 1 writes it and ends, and we heard of the end first.
    while (reports_open_) read_report();
    Ending ending;
    ending.record.accounts = accounts();
    if (timed_out_) end(ending, event::Outcome::Timeout, kExitTimeout, "limits.time was reached");
    else if (orphaned_) end(ending, event::Outcome::Killed, kExitSignal + SIGKILL, "the process that started jail ended");
    else if (!report_) end(ending, event::Outcome::Killed, kExitSignal + SIGKILL, "the jail's first process was killed");
    else if (report_->kind == ReportKind::Ended) end_by_plugin(ending, report_->status);
    else end_before_exec(ending);
    return ending;
  }

  static void end(Ending& ending, event::Outcome outcome, int exit_status, std::string reason) {
    ending.record.outcome = outcome;
    ending.record.reason = std::move(reason);
    ending.exit_status = exit_status;
  }

  static void end_by_plugin(Ending& ending, int status) {
    if (WIFEXITED(status)) {
      ending.record.exit = WEXITSTATUS(status);
      return end(ending, event::Outcome::Exited, WEXITSTATUS(status), {});
    }
    const int signal = WTERMSIG(status);
    ending.record.signal = signal;
    end(ending, outcome_of(signal), kExitSignal + signal, {});
    if (signal == SIGXCPU) ending.record.reason = "limits.cpu_time was reached";
  }

  static event::Outcome outcome_of(int signal) {
    if (signal == SIGSYS) return event::Outcome::Seccomp;
    if (signal == SIGXCPU) return event::Outcome::Timeout;
    if (signal == SIGKILL) return event::Outcome::Killed;
    return event::Outcome::Signaled;
  }

  void end_before_exec(Ending& ending) {
    const bool missing = report_->error == ENOENT || report_->error == ENOTDIR;
    const int status = report_->kind == ReportKind::Failed ? kExitJailFailed : missing ? kExitNotFound : kExitNotExecutable;
    end(ending, event::Outcome::SetupError, status, "exec: " + std::string(std::strerror(report_->error)));
  }

  [[nodiscard]] event::Accounts accounts() const {
    event::Accounts accounts;
    accounts.wall_ms = (clock::boottime_ns() - started_ns_) / kNsPerMs;
    accounts.user_ms = milliseconds(init_.usage.ru_utime);
    accounts.sys_ms = milliseconds(init_.usage.ru_stime);
    accounts.memory_peak = static_cast<std::uint64_t>(init_.usage.ru_maxrss) * 1024;
    accounts.blocks_read = static_cast<std::uint64_t>(init_.usage.ru_inblock);
    accounts.blocks_written = static_cast<std::uint64_t>(init_.usage.ru_oublock);
    return accounts;
  }

  Jail& jail_;
  Gate gate_;
  StdioProxy& stdio_;
  const Fd& signals_;
  Watch watch_;
  Fd timer_;
  std::uint64_t started_ns_ = clock::boottime_ns();
  std::optional<Report> report_;
  sys::Ended init_;
  bool reports_open_ = true;
  bool timed_out_ = false;
  bool orphaned_ = false;
  bool gone_ = false;
};

}  // namespace

Fd open_signals() {
  sigset_t wanted;
  sigemptyset(&wanted);
  for (const int signal : kForwarded) sigaddset(&wanted, signal);
  for (const int signal : {SIGCHLD, SIGWINCH}) sigaddset(&wanted, signal);
  check(::sigprocmask(SIG_BLOCK, &wanted, nullptr), "sigprocmask");
  // Ignored, a child's end would be nobody's to collect; a caller such as a thread-pool host may leave it so.
  (void)::signal(SIGCHLD, SIG_DFL);
  (void)::signal(SIGPIPE, SIG_IGN);
  return Fd(check(::signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK), "signalfd"));
}

std::optional<int> pending_signal(const Fd& signals) {
  signalfd_siginfo info;
  while (::read(signals.get(), &info, sizeof info) == static_cast<ssize_t>(sizeof info))
    for (const int forwarded : kForwarded)
      if (static_cast<int>(info.ssi_signo) == forwarded) return forwarded;
  return std::nullopt;
}

Ending supervise(Jail& jail, Gate gate, StdioProxy& stdio, const Fd& signals, const Watch& watch) {
  return Loop(jail, std::move(gate), stdio, signals, watch).run();
}

}  // namespace jail::run
