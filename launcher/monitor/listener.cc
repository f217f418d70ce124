#include "monitor/listener.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <thread>
#include <utility>

#include "base/clock.h"
#include "base/error.h"
#include "base/masked_signals.h"
#include "base/wakeup.h"
#include "monitor/answer.h"
#include "monitor/coalesce.h"
#include "monitor/connector.h"
#include "sys/process.h"
#include "sys/seccomp.h"

namespace jail::monitor {
namespace {

constexpr int kPatienceMs = 1000;
constexpr int kKickMs = 1;
constexpr long kAgainNs = 100'000'000;
constexpr int kHoldMs = 100;  // between two looks at whether the log takes records again

// Interrupts the thread where it waits for a call, and does nothing else.
int kick() { return SIGRTMIN; }

void take_kicks() {
  struct sigaction nothing {};
  nothing.sa_handler = [](int) {};  // without SA_RESTART
  (void)::sigaction(kick(), &nothing, nullptr);
}

bool is_hung_up(int listener) {
  pollfd polled{listener, 0, 0};
  return ::poll(&polled, 1, 0) > 0;
}

// Numbers of descriptors in the plugin process.
struct Handover {
  std::int32_t listener = 0;  // or a negative errno
  std::int32_t socket_diag = -1;
};

bool is_unknown(const event::Event& event) { return !event.verdict.has_value(); }

void forget(event::Named& named) {
  named = {};
  named.unknown = true;
}
void forget(event::Peer& peer) {
  peer = {};
  peer.unknown = true;
}

// What was read of the caller, and what was concluded from it.
void forget_memory(event::Event& event, const seccomp_notif& notified) {
  event.pid = static_cast<std::int32_t>(notified.pid);
  event.jail_pid.reset();
  const bool was_read = std::visit(
      [](auto& body) {
        if constexpr (requires { body.named; }) forget(body.named);
        if constexpr (requires { body.to; }) forget(body.to);
        if constexpr (requires { body.target; }) forget(body.target);
        if constexpr (requires { body.peer; }) forget(body.peer);
        if constexpr (requires { body.argv; }) body.argv.clear(), body.argv_cut = true;
        return requires { body.named; } || requires { body.peer; };
      },
      event.body);
  if (was_read) event.verdict.reset();
}

event::Event told(event::Body body) {
  event::Event event{.body = std::move(body), .source = event::Source::Notify};
  event.mono_ns = clock::boottime_ns();
  return event;
}

// Kicks the thread that made it, at a time of CLOCK_BOOTTIME and then again and again, for it may have been about to
// wait. To poll with a timeout before each call instead would cost a microsecond of each.
class Alarm {
 public:
  Alarm() {
    sigevent kicked{};
    kicked.sigev_notify = SIGEV_THREAD_ID;
    kicked.sigev_signo = kick();
    kicked._sigev_un._tid = ::gettid();
    check(::timer_create(CLOCK_BOOTTIME, &kicked, &timer_), "timer_create");
  }
  ~Alarm() { ::timer_delete(timer_); }
  Alarm(const Alarm&) = delete;
  Alarm& operator=(const Alarm&) = delete;

  // None: not any more.
  void set(std::optional<std::uint64_t> when) noexcept {
    constexpr std::uint64_t kSecond = 1'000'000'000;
    itimerspec times{};
    if (when) {
      times.it_value = {static_cast<time_t>(*when / kSecond), static_cast<long>(*when % kSecond)};
      times.it_interval.tv_nsec = kAgainNs;
    }
    ::timer_settime(timer_, TIMER_ABSTIME, &times, nullptr);
  }

 private:
  timer_t timer_{};
};

}  // namespace

struct Listening::State : std::enable_shared_from_this<State> {
  explicit State(Start given)
      : start(std::move(given)),
        examiner(start.rules),
        events([this](const event::Event& event) { start.log(event); }) {}

  Start start;
  Examiner examiner;
  std::mutex events_mutex;  // connections are told of by those who make them
  Coalescer events;
  bool is_finished = false;
  std::optional<std::uint64_t> due;  // the alarm is set for then
  confine::seccomp::Program deny;
  std::shared_ptr<PluginListener> listener;  // none: the plugin has ended before
  std::optional<Connector> connector;
  std::atomic<bool> stop = false;
  Wakeup done;
  std::atomic<std::uint64_t> lost = 0;
  bool is_loss_told = false;
  std::uint32_t last_thread = 0;  // and what it is called
  Caller::Numbers last_numbers;

  void run();
  void take_listener();
  [[nodiscard]] Connector::Start connector_start(const Fd& root) const;
  void serve();
  void answer(const seccomp_notif& notified);
  void look_at(const seccomp_notif& notified, const Call& call);
  void note_ways_out(const seccomp_notif& notified);
  void connect(const seccomp_notif& notified, const Call& call);
  void keep(const seccomp_notif& notified, std::optional<event::Event> event);
  void fill_in(event::Event& event, const seccomp_notif& notified);
  void tell_made(event::Event event, int error);
  void flush(std::uint64_t now_ns);
  void finish_events();
  [[nodiscard]] std::optional<std::uint64_t> next_flush();
  void hold();
  [[nodiscard]] Caller::Numbers numbers_of(const seccomp_notif& notified);
  void tell_loss();
  void miss(const std::string& reason);
  void give_up(const char* reason) noexcept;
};

// What a plugin does must not end the supervisor; what ends this thread is told, and closes the listener.
void Listening::State::run() {
  try {
    deny = confine::seccomp::compile(*start.rules.seccomp);
    start.reserved.clear();
    take_listener();
    if (listener) serve();
    finish_events();
    tell_loss();
    if (lost != 0 && !is_loss_told)
      start.log(told(event::MonitorLost{lost, "names and addresses in memory that could not be read"}));
  } catch (const std::exception& error) {
    give_up(error.what());
  }
  if (listener) listener->close();
}

void Listening::State::flush(std::uint64_t now_ns) {
  const std::lock_guard lock(events_mutex);
  events.flush(now_ns);
}

// What comes later is of nobody who is left.
void Listening::State::finish_events() {
  const std::lock_guard lock(events_mutex);
  events.flush(~std::uint64_t{0});
  is_finished = true;
}

std::optional<std::uint64_t> Listening::State::next_flush() {
  const std::lock_guard lock(events_mutex);
  return events.next_flush();
}

// Without the memory for one record there is no watching: the process ends, and the jail with it.
void Listening::State::give_up(const char* reason) noexcept {
  start.log(told(event::MonitorChanged{"none", reason}));
  miss(std::string("the source of events has ended: ") + reason);
  if (!listener) (void)sys::pidfd_send_signal(start.plugin, SIGKILL);  // it holds the listener itself, and waits
}

void Listening::State::miss(const std::string& reason) { start.loss->tell(Loss::Sort::Lasting, reason); }

void Listening::State::take_listener() {
  Handover given;
  const ssize_t size = TEMP_FAILURE_RETRY(::read(start.handover.get(), &given, sizeof given));
  start.handover.reset();
  if (size != sizeof given) return;  // it has ended before
  if (given.listener < 0) {
    const std::string reason = std::string("the filter holds without a listener: ") + std::strerror(-given.listener);
    start.log(told(event::MonitorChanged{"none", reason}));
    return miss(reason);
  }
  listener = std::make_shared<PluginListener>(sys::pidfd_getfd(start.plugin, given.listener));
  if (given.socket_diag >= 0) examiner.ask_sockets_by(sys::pidfd_getfd(start.plugin, given.socket_diag));
  const std::string plugin = "/proc/" + std::to_string(start.pid);
  Fd root(::open((plugin + "/root").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (start.rules.unix_paths == Rules::UnixPaths::Supervisor)
    connector.emplace(connector_start(root), *start.rules.view);
  examiner.look_into(std::move(root), plugin + "/mountinfo");
  (void)sys::notification_wake_in_turn(listener->get());
}

Connector::Start Listening::State::connector_start(const Fd& root) const {
  return {.listener = listener,
          .root = duplicate(root.get()),
          .uid = start.rules.uid,
          .gid = start.rules.gid};
}

// Until it is told to stop: that nobody is left under the filter, kernels before 6.11 do not tell who waits for a call.
void Listening::State::serve() {
  Alarm alarm;
  while (!stop) {
    if (start.loss->holds()) hold();
    if (const auto next = next_flush(); next != due) alarm.set(due = next);
    seccomp_notif notified;
    const int error = sys::notification_receive(listener->get(), notified);
    if (error == 0) answer(notified);
    else if (error != EINTR && error != ENOENT) throw SysError(error, "receive a notification");
    else if (error == ENOENT && is_hung_up(listener->get())) return;
    if (due && clock::boottime_ns() >= *due) flush(clock::boottime_ns());
  }
}

// A refusal is in the log before the plugin learns of it. What only is looked at goes on as soon as that is known.
void Listening::State::answer(const seccomp_notif& notified) {
  const Answer answer = answer_to(deny, notified.data);
  const Call* const call = find_call(static_cast<std::uint32_t>(notified.data.nr));
  if (answer.reply == Reply::Refuse) keep(notified, examiner.refused(notified, answer.error));
  else if (call != nullptr && call->operation == Operation::Connect && connector) return connect(notified, *call);
  else if (call != nullptr)
    look_at(notified, *call);
  if (start.loss->holds()) hold();
  listener->send(response(notified, answer));
}

void Listening::State::look_at(const seccomp_notif& notified, const Call& call) {
  for (event::Event& event : examiner.allowed(notified, call)) keep(notified, std::move(event));
  note_ways_out(notified);
}

// Whose it is is asked now: it may be the last thing that process does.
void Listening::State::note_ways_out(const seccomp_notif& notified) {
  std::vector<event::Event> calls = examiner.take_ways_out();
  if (calls.empty() || !start.leads_out || sys::notification_is_pending(listener->get(), notified.id) != 0) return;
  for (event::Event& call : calls) {
    fill_in(call, notified);
    start.leads_out(call);
  }
}

// Never goes on: see connector.h.
void Listening::State::connect(const seccomp_notif& notified, const Call& call) {
  Examiner::Wanted wanted = examiner.wanted(notified, call);
  note_ways_out(notified);
  const std::optional<std::int32_t> process = numbers_of(notified).process;
  if (start.loss->holds()) hold();
  if (wanted.event && wanted.event->verdict) fill_in(*wanted.event, notified);
  else keep(notified, std::exchange(wanted.event, std::nullopt));  // what cannot be read will not be made either
  connector->connect(notified, process.value_or(0), std::move(wanted.connection),
                     [state = shared_from_this(), event = std::move(wanted.event)](int error) {
                       if (event) state->tell_made(*event, error);
                     });
}

// Here nothing is foretold: jail itself has made it, or not.
void Listening::State::tell_made(event::Event event, int error) {
  event::Verdict& verdict = *event.verdict;
  const bool is_made = error == 0 || error == EINPROGRESS;
  const bool is_refused = error == EACCES || error == EPERM;
  if (is_made || verdict.decision == event::Decision::Allowed)
    verdict = {.decision = is_made      ? event::Decision::Allowed
                           : is_refused ? event::Decision::Denied
                                        : event::Decision::Failed,
               .layer = is_refused ? "permission" : "",
               .rule = is_refused ? "default" : "",
               .error = is_made ? 0 : error};
  verdict.predicted = false;
  if (!examiner.is_worth_telling_made(verdict.decision)) return;
  const std::lock_guard lock(events_mutex);
  if (!is_finished) events.add(std::move(event));
}

// Until the loss is over, or nobody is left to go on: then it does not matter who is answered.
void Listening::State::hold() {
  for (; !stop && start.loss->holds(); (void)::poll(nullptr, 0, kHoldMs)) {
    if (start.loss->reaction() == profile::OnLoss::Kill || start.loss->now().sort == Loss::Sort::Lasting) tell_loss();
    else if (start.log_takes_records()) {
      const Loss::State loss = start.loss->now();
      start.loss->end();  // before: a log that loses this one, too, begins anew
      start.log(told(event::MonitorLost{loss.count, loss.reason}));
    }
  }
}

void Listening::State::tell_loss() {
  const Loss::State loss = start.loss->now();
  if (!loss.holds || std::exchange(is_loss_told, true)) return;
  start.log(told(event::MonitorLost{loss.count, loss.reason}));
}

// Asked of /proc, which costs more than all the rest, and so once for calls in a row. A number comes back to another
// only when all others have been given away (idr_alloc_cyclic(), kernel/pid.c), and then within this jail.
Caller::Numbers Listening::State::numbers_of(const seccomp_notif& notified) {
  if (std::exchange(last_thread, notified.pid) != notified.pid) last_numbers = examiner.caller_of(notified).numbers();
  return last_numbers;
}

void Listening::State::fill_in(event::Event& event, const seccomp_notif& notified) {
  const Caller::Numbers numbers = numbers_of(notified);
  event.pid = numbers.process;
  event.jail_pid = numbers.in_jail;
  event.mono_ns = clock::boottime_ns();
}

void Listening::State::keep(const seccomp_notif& notified, std::optional<event::Event> event) {
  if (!event) return;
  fill_in(*event, notified);
  // Whatever was read of a caller that has ended meanwhile may be another's; the registers are its own.
  const bool goes_on = sys::notification_is_pending(listener->get(), notified.id) == 0;
  if (!goes_on) forget_memory(*event, notified);
  const bool is_missed = goes_on && is_unknown(*event);
  {
    const std::lock_guard lock(events_mutex);
    events.add(std::move(*event));
  }
  if (!is_missed) return;
  ++lost;
  miss("names and addresses in memory that could not be read");
}

std::vector<Fd> reserve_descriptors() {
  constexpr std::size_t kHeld = 8;  // listener, sockets, two roots, the mounts of both sides, what is asked of /proc
  std::vector<Fd> reserved;
  while (reserved.size() < kHeld) reserved.push_back(duplicate(STDIN_FILENO));
  return reserved;
}

Listening::Listening(Start start) : state_(std::make_shared<State>(std::move(start))) {
  take_kicks();
  const MaskedSignals but_the_kick({kick()});
  thread_ = std::thread([state = state_] {
    state->run();
    state->done.raise();
  });
}

Listening::~Listening() { (void)finish(); }

Listening::End Listening::finish() {
  if (end_) return *end_;
  state_->stop = true;
  end_ = End::Stuck;
  // Again and again: it may have been about to wait.
  for (int waited = 0; end_ == End::Stuck && waited < kPatienceMs; waited += kKickMs) {
    (void)::pthread_kill(thread_.native_handle(), kick());
    if (state_->done.is_raised(kKickMs)) end_ = End::Clean;
  }
  end_ == End::Clean ? thread_.join() : thread_.detach();
  return *end_;
}

void Listening::look_up() { (void)::pthread_kill(thread_.native_handle(), kick()); }

std::uint64_t Listening::lost() const { return state_->lost; }

void hand_over(int handover, int listener_or_error, int socket_diag) noexcept {
  const Handover given{listener_or_error, socket_diag};
  (void)!::write(handover, &given, sizeof given);
}

}  // namespace jail::monitor
