#include "blindspot/judge.h"

#include <algorithm>
#include <array>
#include <cerrno>

namespace jail::blindspot {
namespace {

using event::Decision;

std::string text_of(const event::Peer& peer) {
  if (peer.family) return "family " + std::to_string(*peer.family);
  if (!peer.path.empty()) return peer.path;
  const std::string port = ":" + std::to_string(peer.port.value_or(0));
  return peer.address.find(':') == std::string::npos ? peer.address + port : "[" + peer.address + "]" + port;
}

template <typename Body>
std::string subject(const Body& body) {
  if constexpr (requires { body.to; }) return body.named.path + " " + body.to.path;
  else if constexpr (requires { body.target; }) return body.named.path + " " + body.target.path;
  else if constexpr (requires { body.named; }) return body.named.path;
  else if constexpr (requires { body.peer; }) return text_of(body.peer);
  else if constexpr (requires { body.abi; }) return body.abi;
  else return "";
}

std::string_view call_of(const event::Body& body) {
  return std::visit(
      [](const auto& what) -> std::string_view {
        if constexpr (requires { what.call; }) return what.call;
        else return "";
      },
      body);
}

// What a plugin does with what it was given is told where that is said to be given: at the start, of no process.
bool is_told_at_start(const event::Record& record, const Evidence& wanted, const Scene& scene) {
  const auto* const started = std::get_if<event::RunStarted>(&record.event.body);
  if (started == nullptr || wanted.kind != event::RunStarted::kKind) return false;
  const std::string end = ", " + expand(wanted.subject, scene);
  return std::ranges::any_of(started->passed, [&](const std::string& passed) { return passed.ends_with(end); });
}

bool is_evidence(const event::Record& record, const Evidence& wanted, pid_t process, const Scene& scene) {
  const event::Event& event = record.event;
  return !wanted.kind.empty() && event::kind_of(event.body) == wanted.kind && call_of(event.body) == wanted.call &&
         event.jail_pid == process && event.verdict.has_value() &&
         subject_of(event.body) == expand(wanted.subject, scene);
}

const event::Record* find_evidence(const Action& action, std::span<const event::Record> log, pid_t process,
                                   const Scene& scene) {
  for (const Evidence& wanted : action.evidence)
    for (const event::Record& record : log)
      if (is_evidence(record, wanted, process, scene) || is_told_at_start(record, wanted, scene)) return &record;
  return nullptr;
}

// How a kernel says that it has none of that.
bool says_unsupported(int error) {
  constexpr int kErrors[] = {ENOSYS, EAFNOSUPPORT, EPROTONOSUPPORT, EOPNOTSUPP, ENODEV, ENOPROTOOPT};
  return std::ranges::find(kErrors, error) != std::end(kErrors);
}

Result without_evidence(const Outcome& outcome) {
  return outcome.error == 0 ? Result::Invisible : Result::Denied;
}

// A record that says a thing was denied does not tell that it was done.
Result with_evidence(const Outcome& outcome, const std::optional<event::Verdict>& verdict) {
  if (!verdict || verdict->decision == Decision::Allowed) return Result::Logged;
  return outcome.error == 0 ? Result::Invisible : Result::DeniedLogged;
}

}  // namespace

std::string_view name_of(Result result) {
  constexpr std::array<std::string_view, kResults> kNames{"logged",    "denied+logged", "denied",
                                                          "invisible", "unsupported",   "untried"};
  return kNames[static_cast<std::size_t>(result)];
}

std::string subject_of(const event::Body& body) {
  return std::visit([](const auto& what) { return subject(what); }, body);
}

Row judge(const Action& action, Kernel kernel, const std::optional<Outcome>& outcome,
          std::span<const event::Record> log, const Scene& scene) {
  Row row{.action = &action};
  if (!outcome) return row;
  row.error = outcome->error;
  if (outcome->step == Outcome::Step::Missing) {
    row.result = says_unsupported(outcome->error) ? Result::Unsupported : Result::Untried;
    return row;
  }
  const event::Record* const evidence = find_evidence(action, log, outcome->process, scene);
  if (evidence != nullptr) row.record = evidence->stamp.seq;
  row.result = evidence != nullptr ? with_evidence(*outcome, evidence->event.verdict) : without_evidence(*outcome);
  const bool lacks = kernel == Kernel::LacksIt && outcome->error == ENOSYS;
  if (lacks && row.result != Result::DeniedLogged) row.result = Result::Unsupported;
  return row;
}

}  // namespace jail::blindspot
