#include "trace/landlock_watch.h"

#include <linux/capability.h>
#include <poll.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/clock.h"
#include "base/error.h"
#include "base/masked_signals.h"
#include "base/wakeup.h"
#include "sys/audit.h"
#include "sys/capabilities.h"
#include "sys/landlock.h"
#include "trace/landlock_domain.h"

namespace jail::trace {
namespace {

constexpr const char* kNotAllowed = "needs CAP_AUDIT_READ on the host";
constexpr int kTellingAbi = 7;
constexpr int kIdleMs = 1000;
constexpr int kCallerMs = 20;     // who has asked is told at the end of the call
constexpr int kLastWordMs = 500;  // a domain goes with its last process, by RCU and a work queue
constexpr int kPatienceMs = 5000;
constexpr std::uint64_t kNsPerMs = 1'000'000;

}  // namespace

Fd LandlockWatching::listen(std::string& why) {
  if (sys::landlock_abi() < kTellingAbi) why = "Landlock tells it nothing before ABI 7 (Linux 6.15)";
  else if (!sys::has_capability(CAP_AUDIT_READ)) why = kNotAllowed;
  if (!why.empty()) return {};
  const sys::AuditState state = sys::audit_state();
  if (state == sys::AuditState::Absent) why = "this kernel has none";
  else if (state == sys::AuditState::Off) why = "the administrator has not switched it on (auditctl -e 1)";
  if (!why.empty()) return {};
  int error = 0;
  Fd records = sys::open_audit_records({kAuditLandlockAccess, kAuditLandlockDomain, kAuditSyscall}, error);
  if (!records) why = error == EPERM ? kNotAllowed : std::strerror(error);
  return records;
}

struct LandlockWatching::State {
  State(Fd from, pid_t builder, std::string name, LandlockSinks to)
      : records(std::move(from)), sinks(std::move(to)), domain(builder, std::move(name), sinks.log) {}

  Fd records;
  LandlockSinks sinks;
  LandlockDomain domain;
  bool cut = false;
  Wakeup stop, done;
  std::array<char, sys::kLongestAuditRecord> buffer{};

  void run();
  void read();
  void wait_for_last_word();
  void await(int ms);
};

void LandlockWatching::State::read() {
  for (;;) {
    const sys::AuditRecord record = sys::next_audit_record(records, buffer);
    if (record.state == sys::AuditRecord::State::None) return;
    if (record.state == sys::AuditRecord::State::Lost) cut = true;
    else domain.add(record.type, record.text, clock::boottime_ns());
  }
}

void LandlockWatching::State::await(int ms) {
  pollfd readable{records.get(), POLLIN, 0};
  (void)TEMP_FAILURE_RETRY(::poll(&readable, 1, ms));
  read();
}

// Not for a domain that was never heard of, whose end nobody would tell.
void LandlockWatching::State::wait_for_last_word() {
  const std::uint64_t until = clock::boottime_ns() + kLastWordMs * kNsPerMs;
  await(domain.is_known() ? 0 : kCallerMs);
  for (std::uint64_t now = 0; domain.is_known() && !domain.has_ended() && (now = clock::boottime_ns()) < until;)
    await(static_cast<int>((until - now) / kNsPerMs) + 1);
}

void LandlockWatching::State::run() {
  while (!stop.is_raised()) {
    pollfd polled[] = {{stop.fd(), POLLIN, 0}, {records.get(), POLLIN, 0}};
    check(TEMP_FAILURE_RETRY(::poll(polled, 2, domain.waits() ? kCallerMs : kIdleMs)), "poll");
    read();
    domain.pass_on(clock::boottime_ns() - kCallerMs * kNsPerMs);
    if (sinks.after_reading) sinks.after_reading();
  }
  wait_for_last_word();
  domain.pass_on();
  if (sinks.at_end) sinks.at_end();
}

std::unique_ptr<LandlockWatching> LandlockWatching::start(Fd records, pid_t builder, std::string name,
                                                          LandlockSinks sinks) {
  auto state = std::make_shared<State>(std::move(records), builder, std::move(name), std::move(sinks));
  return std::unique_ptr<LandlockWatching>(new LandlockWatching(std::move(state)));
}

LandlockWatching::LandlockWatching(std::shared_ptr<State> state) : state_(std::move(state)) {
  const MaskedSignals for_the_thread;
  thread_ = std::thread([mine = state_] {
    try {
      mine->run();
    } catch (const std::exception&) {
      mine->cut = true;  // and without the kernel's last word, which finish() tells
    }
    mine->done.raise();
  });
}

LandlockWatching::~LandlockWatching() { (void)finish(); }

std::optional<LandlockAccount> LandlockWatching::finish() {
  if (std::exchange(finished_, true)) return std::nullopt;
  state_->stop.raise();
  if (!state_->done.is_raised(kPatienceMs)) {
    thread_.detach();
    return std::nullopt;
  }
  thread_.join();
  return LandlockAccount{state_->domain.is_known(), state_->cut, state_->domain.denials()};
}

}  // namespace jail::trace
