#include "monitor/traced.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <utility>

#include "base/clock.h"
#include "monitor/answer.h"
#include "monitor/calls.h"

namespace jail::monitor {
namespace {

// Each start and end of a process is told, however much alike, and what each socket has sent.
bool may_be_alike(const event::Body& body) {
  if (std::holds_alternative<event::ProcessExec>(body) || std::holds_alternative<event::NetFlow>(body)) return false;
  return std::holds_alternative<event::PrivilegeAttempt>(body) ||
         std::visit([](const auto& what) { return requires { what.named; what.call; } || requires { what.peer; }; },
                    body);
}

// Of ids and capabilities the kernel asks also where a process only keeps what it has.
bool is_of_credentials(std::uint32_t number) {
  const Call* const call = find_call(number);
  return call != nullptr && (call->operation == Operation::ChangeIds || call->operation == Operation::ChangePowers);
}

// What is asked by calls which notification watches to the end: setuid(2), capset(2), bind(2) of a path, ftruncate(2).
bool is_told_by_notification(const event::Event& event) {
  if (const auto* power = std::get_if<event::PrivilegeAttempt>(&event.body)) return is_of_credentials(power->number);
  if (!event.verdict || !event.verdict->predicted) return false;
  if (const auto* made = std::get_if<event::FileCreate>(&event.body)) return made->call == "bind";
  if (const auto* opened = std::get_if<event::FileOpen>(&event.body)) return opened->call == "ftruncate";
  return false;
}

}  // namespace

TracedEvents::TracedEvents(Rules rules, pid_t plugin, std::function<void(const event::Event&)> log)
    : rules_(std::move(rules)),
      log_(std::move(log)),
      events_([this](const event::Event& event) { log_(event); }) {
  if (rules_.traced.files == Traced::Files::None) return;
  judging_.emplace(rules_);
  const std::string process = "/proc/" + std::to_string(plugin);
  Fd root(::open((process + "/root").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  judging_->examiner.open_view(std::move(root), process + "/mountinfo");
}

void TracedEvents::look() {
  if (!judging_) return;
  judging_->examiner.look_into_view();
  judging_->deny = confine::seccomp::compile(*rules_.seccomp);
}

void TracedEvents::add(const event::Event& event) {
  if (is_told_by_notification(event)) return;
  may_be_alike(event.body) ? events_.add(event) : log_(event);
}

void TracedEvents::judge(const trace::FileCall& call) {
  if (!judging_ || (call.error != 0 && answer_to(judging_->deny, registers_of(call)).reply == Reply::Refuse)) return;
  if (std::optional<event::Event> event = judging_->examiner.ended(call)) events_.add(std::move(*event));
}

void TracedEvents::flush() {
  const std::uint64_t now_ns = clock::boottime_ns();
  if (const auto due = events_.next_flush(); due && now_ns >= *due) events_.flush(now_ns);
}

}  // namespace jail::monitor
