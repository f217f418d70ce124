#include "run/supervise.h"

#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>

#include "base/clock.h"
#include "base/error.h"
#include "run/freeze.h"
#include "sys/process_tree.h"

namespace jail::run {
namespace {

constexpr int kForwarded[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2};
constexpr std::uint64_t kNsPerMs = 1'000'000;
constexpr std::uint64_t kMomentMs = 10, kSecondMs = 1000, kMostBetweenLooksMs = 5000;
constexpr int kFrozenMs = 100;  // between two looks at whether the jail may go on
constexpr int kStoppedMs = 10;  // and at whether it does, where only signals hold it

Fd open_timer() { return Fd(check(::timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK), "timerfd_create")); }

void arm(const Fd& timer, std::uint64_t ms) {
  itimerspec when{};
  when.it_value.tv_sec = static_cast<time_t>(ms / 1000);
  when.it_value.tv_nsec = static_cast<long>(ms % 1000 * kNsPerMs);
  if (ms == 0) when.it_value.tv_nsec = 1;  // 0 would disarm it
  check(::timerfd_settime(timer.get(), 0, &when, nullptr), "timerfd_settime");
}

class Loop {
 public:
  Loop(Jail& jail, StdioProxy& stdio, const Fd& signals, const Watch& watch)
      : jail_(jail), stdio_(stdio), signals_(signals), watch_(watch), timer_(open_timer()),
        freezer_(jail, watch.group) {
    if (watch_.time_ms) arm(timer_, *watch_.time_ms);
  }

  Ending run() {
    while (jail_.plugin.pid() != 0) step();
    if (watch_.guard != nullptr) watch_.guard->release();
    // Whatever the plugin has left behind dies with pid 1; reaping it waits until the kernel has taken all of them
    // away.
    if (watch_.group != nullptr) watch_.group->let_end();
    init_ = jail_.init.end();
    if (watch_.group != nullptr) watch_.group->look(watch_.log);
    Ending ending = ending_of(seen());
    stdio_.plugin_ended();
    while (stdio_.pending() && !asked_to_end_ && !time_passed_) step();
    stdio_.drain();
    return ending;
  }

 private:
  enum Slot { kSignals, kReports, kPlugin, kInit, kParent, kTimer, kLoss, kSlots };

  void step() {
    std::vector<pollfd> polled(kSlots);
    polled[kSignals] = {signals_.get(), POLLIN, 0};
    polled[kReports] = {reports_open_ ? jail_.plugin.socket().get() : -1, POLLIN, 0};
    polled[kPlugin] = {jail_.plugin.pid() != 0 ? jail_.plugin.pidfd().get() : -1, POLLIN, 0};
    polled[kInit] = {jail_.plugin.pid() != 0 ? jail_.init.pidfd().get() : -1, POLLIN, 0};
    polled[kParent] = {watch_.parent != nullptr && !causes_.orphaned ? watch_.parent->get() : -1, POLLIN, 0};
    polled[kTimer] = {timer_.get(), POLLIN, 0};
    polled[kLoss] = {watch_.loss != nullptr ? watch_.loss->change() : -1, POLLIN, 0};
    stdio_.add_to(polled);
    if (watch_.guard != nullptr) watch_.guard->add_to(polled);
    if (watch_.way_out != nullptr) watch_.way_out->add_to(polled);
    if (watch_.control != nullptr) watch_.control->add_to(polled);
    if (watch_.group != nullptr) watch_.group->add_to(polled);
    check(TEMP_FAILURE_RETRY(::poll(polled.data(), polled.size(), most_ms())), "poll");
    look_for_breach(polled);
    do_what_is_due();
    if (watch_.group != nullptr) watch_.group->handle(polled, watch_.log);
    if (watch_.way_out != nullptr) watch_.way_out->handle(polled);
    if (stands_still()) keep_still();
    if (polled[kReports].revents != 0) read_report();
    if (polled[kLoss].revents != 0) follow_loss();
    if (polled[kTimer].revents != 0) time_is_up();
    if (polled[kParent].revents != 0) parent_ended();
    stdio_.handle(polled);
    if (watch_.control != nullptr) listen_to_operator(polled);
    if (polled[kSignals].revents != 0) read_signals();
    if (polled[kPlugin].revents != 0 || polled[kInit].revents != 0) plugin_ended();
  }

  [[nodiscard]] int most_ms() const {
    const int due = ms_to_due();
    if (!stands_still()) return due;
    const int look = freezer_.needs_looks() ? kStoppedMs : kFrozenMs;
    return due < 0 ? look : std::min(due, look);
  }

  // Until what a shorter run is spared, and then what comes again; -1: that, and the plugin has ended.
  [[nodiscard]] int ms_to_due() const {
    if (jail_.plugin.pid() == 0 && due_ms_ > kSecondMs) return -1;
    const std::uint64_t age = age_ms();
    return age < due_ms_ ? static_cast<int>(due_ms_ - age) : 0;
  }

  // With 200 jails that live long, a look of each every second would take some hundredths of a processor.
  [[nodiscard]] std::uint64_t next_look_ms() const {
    return age_ms() + std::clamp(age_ms() / 10, kSecondMs, kMostBetweenLooksMs);
  }

  void do_what_is_due() {
    while (ms_to_due() == 0) {
      const std::uint64_t due = std::exchange(due_ms_, due_ms_ == kMomentMs ? kSecondMs : next_look_ms());
      if (due == kMomentMs) watch_.after_a_moment();
      if (due == kSecondMs) watch_.after_a_second();
      if (due < kSecondMs || jail_.plugin.pid() == 0) continue;
      const std::vector<pid_t> here = processes();
      watch_.now_and_then(here);
      if (!group_counts_use()) note_use(here);
    }
  }

  [[nodiscard]] std::uint64_t age_ms() const { return (clock::boottime_ns() - started_ns_) / kNsPerMs; }

  void reached(std::string_view which, std::uint64_t value, std::uint64_t limit) const {
    watch_.log({.body = event::LimitReached{.which = std::string(which), .value = value, .limit = limit},
                .source = event::Source::Supervisor});
  }

  // First of all: every moment counts.
  void look_for_breach(const std::vector<pollfd>& polled) {
    if (watch_.guard == nullptr || causes_.breach) return;
    causes_.breach = watch_.guard->breach(polled);
    if (!causes_.breach) return;
    (void)sys::pidfd_send_signal(jail_.plugin.pidfd(), SIGKILL);  // at once; pid 1 takes the others along
    kill_jail();
  }

  void follow_loss() {
    watch_.loss->heard();
    if (jail_.plugin.pid() == 0) return;
    const monitor::Loss::State loss = watch_.loss->now();
    if (!loss.holds) return go_on();
    if (watch_.loss->reaction() == profile::OnLoss::Kill) return end_for_loss(loss.reason);
    if (!stands_still() && freezer_.freeze() == Frozen::Partly)
      return end_for_loss(loss.reason + " (and it cannot be frozen)");
    frozen_ = loss.reason;
    watch_.say_frozen(loss.reason);
  }

  void go_on() {
    if (!frozen_) return;
    frozen_.reset();
    if (held_) return;
    freezer_.thaw();
    watch_.say_frozen({});
  }

  [[nodiscard]] bool stands_still() const { return frozen_ || held_; }

  void keep_still() {
    watch_.while_frozen();
    freezer_.look();
    if (!freezer_.wakes_itself()) return;
    if (frozen_) return end_for_loss(*frozen_ + " (and it wakes itself)");
    if (!std::exchange(told_of_waking_, true)) tell_of_waking();
  }

  // The operator wants to see it: it is stopped again each time.
  void tell_of_waking() {
    constexpr std::string_view kWakes = "it wakes itself: 'jail kill' ends it";
    *held_ += "; " + std::string(kWakes);
    watch_.log({.body = event::OperatorAction{.action = "freeze",
                                              .by_uid = holder_.uid,
                                              .by_pid = holder_.pid,
                                              .reason = std::string(kWakes)},
                .source = event::Source::Supervisor});
  }

  void listen_to_operator(const std::vector<pollfd>& polled) {
    watch_.control->handle(
        polled, [this] { return status(); },
        [this](const registry::Request& request, const sys::Peer& who) { return obey(request, who); });
  }

  [[nodiscard]] registry::Status status() const {
    using State = registry::Status::State;
    registry::Status status = watch_.about_run();
    const sys::Use use = use_of_plugin(processes());
    status.processes = use.processes;
    status.cpu_ms = use.user_ms + use.system_ms;
    status.memory = use.memory;
    if (watch_.group != nullptr) take_over(status, watch_.group->use());
    status.pid = jail_.plugin.pid();
    status.started_ns = started_ns_;
    status.state = stands_still() ? State::Frozen : State::Running;
    status.reason.set(frozen_ ? *frozen_ : held_.value_or(""));
    return status;
  }

  // It is our child, whom it leaves behind are those of pid 1; that itself is no process of the plugin's.
  [[nodiscard]] std::vector<pid_t> processes() const {
    return sys::with_all_below({jail_.plugin.pid(), jail_.init.pid()});
  }
  static sys::Use use_of_plugin(const std::vector<pid_t>& processes) {
    sys::Use use = sys::use_of(processes);
    use.processes -= std::min<std::uint64_t>(use.processes, 1);
    return use;
  }

  [[nodiscard]] bool group_counts_use() const { return watch_.group != nullptr && watch_.group->counts_use(); }

  // Who is killed while others wait for him tells nobody what he has used.
  void look_at_use() {
    if (!group_counts_use()) note_use(processes());
  }

  void note_use(const std::vector<pid_t>& processes) {
    const sys::Use now = use_of_plugin(processes);
    looked_.processes = std::max(looked_.processes, now.processes);
    looked_.user_ms = std::max(looked_.user_ms, now.user_ms);
    looked_.system_ms = std::max(looked_.system_ms, now.system_ms);
    looked_.memory = std::max(looked_.memory, now.memory);
  }

  // The group counts all of it, also what has ended and what is shared.
  static void take_over(registry::Status& status, const Group::Use& use) {
    status.processes = use.processes.value_or(status.processes);
    status.memory = use.memory.value_or(status.memory);
    if (use.user_ms && use.system_ms) status.cpu_ms = *use.user_ms + *use.system_ms;
  }

  registry::Reply obey(const registry::Request& request, const sys::Peer& who) {
    const std::string refusal = jail_.plugin.pid() == 0 ? "it has ended" : act(request, who);
    registry::Reply reply;
    reply.refusal.set(refusal);
    if (!refusal.empty()) return reply;
    watch_.log({.body = event::OperatorAction{.action = std::string(name_of(request.wish)),
                                              .by_uid = who.uid,
                                              .by_pid = who.pid,
                                              .reason = std::string(request.reason.view())},
                .source = event::Source::Supervisor});
    return reply;
  }

  static std::string_view name_of(registry::Request::Wish wish) {
    using Wish = registry::Request::Wish;
    return wish == Wish::Kill ? "kill" : wish == Wish::Freeze ? "freeze" : "thaw";
  }

  // Empty, or why not.
  std::string act(const registry::Request& request, const sys::Peer& who) {
    switch (request.wish) {
      case registry::Request::Wish::Kill: return stop(said("killed", request));
      case registry::Request::Wish::Freeze: return hold(said("frozen", request), who);
      case registry::Request::Wish::Thaw: return let_go(who);
    }
    return "this version of jail does not know how";
  }

  static std::string said(std::string_view done, const registry::Request& request) {
    const std::string_view reason = request.reason.view();
    return std::string(done) + " by the operator" + (reason.empty() ? "" : ": ") + std::string(reason);
  }

  std::string stop(std::string reason) {
    causes_.stopped = std::move(reason);
    kill_jail();
    return {};
  }

  std::string hold(std::string reason, const sys::Peer& who) {
    if (!stands_still() && freezer_.freeze() == Frozen::Partly) {
      freezer_.thaw();
      return "this kernel does not list the children of a process: 'jail kill' ends it";
    }
    if (!is_held_by_root()) holder_ = who;
    held_ = std::move(reason);
    told_of_waking_ = false;
    return {};
  }

  [[nodiscard]] bool is_held_by_root() const { return held_ && holder_.uid == 0; }

  std::string let_go(const sys::Peer& who) {
    if (is_held_by_root() && who.uid != 0) return "root has frozen it, and thaws it";
    if (frozen_) return "it stands still for monitor.on_loss: " + *frozen_;
    if (!held_) return "it is not frozen";
    held_.reset();
    freezer_.thaw();
    return {};
  }

  void end_for_loss(std::string reason) {
    causes_.blinded = std::move(reason);
    kill_jail();
  }

  void read_report() {
    std::optional<Received> received = receive_report(jail_.plugin.socket());
    if (!received) reports_open_ = false;  // closed by a successful execve
    else causes_.exec_failure = received->report;
  }

  void read_signals() {
    signalfd_siginfo info;
    while (::read(signals_.get(), &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
      const int signal = static_cast<int>(info.ssi_signo);
      if (signal == SIGCHLD) reap_strangers();
      else if (signal == SIGWINCH) stdio_.window_changed();
      else if (signal == SIGCONT) stdio_.continued();
      else forward(signal);
    }
  }

  void forward(int signal) {
    asked_to_end_ = true;
    const bool is_request_to_end = signal != SIGUSR1 && signal != SIGUSR2;
    if (frozen_ && is_request_to_end) return end_for_loss(*frozen_ + "; ended while it was frozen");
    if (held_ && is_request_to_end) return (void)stop(*held_ + "; ended while it was frozen");
    if (jail_.plugin.pid() != 0) (void)sys::pidfd_send_signal(jail_.plugin.pidfd(), signal);
  }

  // As PID 1 of a container other people's orphans are ours to reap. Our own children are waited for by number.
  void reap_strangers() const {
    siginfo_t next{};
    while (::waitid(P_ALL, 0, &next, WEXITED | WNOHANG | WNOWAIT) == 0 && next.si_pid != 0) {
      if (next.si_pid == jail_.plugin.pid() || next.si_pid == jail_.init.pid()) return;
      (void)sys::reap(next.si_pid);
      next = {};
    }
  }

  // The plugin's own end, or that of pid 1, which takes the plugin with it.
  void plugin_ended() {
    if (jail_.plugin.pid() == 0) return;
    if (!sys::children_of(jail_.init.pid()).empty()) look_at_use();  // they are left behind
    plugin_ = sys::reap(jail_.plugin.pid());
    jail_.plugin.reaped();
    while (reports_open_) read_report();
    if (watch_.limits != nullptr && WIFSIGNALED(plugin_.status)) tell_limit_of(WTERMSIG(plugin_.status));
  }

  // Whose signal means nothing else, unless somebody has sent it by hand.
  void tell_limit_of(int signal) const {
    const profile::Limits& limits = *watch_.limits;
    if (signal == SIGXCPU && limits.cpu_time_ms.value)
      reached("limits.cpu_time", cpu_ms(plugin_), *limits.cpu_time_ms.value);
    if (signal == SIGXFSZ && limits.file_size.value)
      reached("limits.file_size", *limits.file_size.value, *limits.file_size.value);
  }

  void time_is_up() {
    std::uint64_t expirations = 0;
    if (::read(timer_.get(), &expirations, sizeof expirations) < 0) return;
    if (!std::exchange(time_passed_, true)) reached("limits.time", age_ms(), watch_.time_ms.value_or(0));
    if (jail_.plugin.pid() == 0) return;  // only its output is still to be read
    if (causes_.timed_out || stands_still() || watch_.grace_ms == 0) {  // who is frozen could make no use of grace
      kill_jail();
    } else {
      (void)sys::pidfd_send_signal(jail_.plugin.pidfd(), SIGTERM);
      (void)sys::pidfd_send_signal(jail_.plugin.pidfd(), SIGCONT);  // a stopped plugin would sleep through its grace
      arm(timer_, watch_.grace_ms);
    }
    causes_.timed_out = true;
  }

  void parent_ended() {
    causes_.orphaned = asked_to_end_ = true;
    kill_jail();
  }

  void kill_jail() {
    look_at_use();
    if (watch_.group != nullptr) watch_.group->kill();
    if (jail_.init.pid() != 0) (void)sys::pidfd_send_signal(jail_.init.pidfd(), SIGKILL);
  }

  [[nodiscard]] Seen seen() const {
    Seen seen{.causes = causes_, .plugin = plugin_, .init = init_, .command = watch_.command, .wall_ms = age_ms()};
    seen.looked = looked_;
    if (watch_.group == nullptr) return seen;
    seen.out_of_memory = watch_.group->out_of_memory();
    seen.limits = watch_.group->reached();
    seen.use = watch_.group->use();
    return seen;
  }

  Jail& jail_;
  StdioProxy& stdio_;
  const Fd& signals_;
  Watch watch_;
  Fd timer_;
  Freezer freezer_;
  std::uint64_t started_ns_ = clock::boottime_ns();
  Causes causes_;
  sys::Ended plugin_;
  sys::Ended init_;
  sys::Use looked_;  // the most of each
  std::optional<std::string> frozen_;   // why the jail stands still: events are lost
  std::optional<std::string> held_;     // why, by the operator
  sys::Peer holder_;                    // the operator who did
  bool told_of_waking_ = false;
  bool reports_open_ = true;
  std::uint64_t due_ms_ = kMomentMs;
  bool time_passed_ = false;
  bool asked_to_end_ = false;
};

}  // namespace

Fd open_signals() {
  sigset_t wanted;
  sigemptyset(&wanted);
  for (const int signal : kForwarded) sigaddset(&wanted, signal);
  for (const int signal : {SIGCHLD, SIGWINCH, SIGCONT}) sigaddset(&wanted, signal);
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

Ending supervise(Jail& jail, StdioProxy& stdio, const Fd& signals, const Watch& watch) {
  return Loop(jail, stdio, signals, watch).run();
}

}  // namespace jail::run
