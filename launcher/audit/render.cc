// One `tell` a kind, as in event/encode.cc.
#include "audit/render.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <string_view>

#include "base/clock.h"
#include "base/error.h"
#include "base/json.h"
#include "base/text.h"

namespace jail::audit {
namespace {

constexpr std::size_t kShortRun = 8;       // characters of a run's id that people see
constexpr std::size_t kShortDigest = 16;
constexpr std::size_t kLongestText = 160;  // bytes of one text on a line; --json has all of it

class Sentence {
 public:
  explicit Sentence(Colour colour) : colour_(colour) {}

  enum class Tone { Plain, Faint, Good, Warn, Bad };
  Sentence& add(std::string_view words, Tone tone = Tone::Plain) {
    const std::string_view code = colour_ == Colour::Ansi ? code_of(tone) : "";
    out_.append(code).append(words);
    if (!code.empty()) out_ += "\x1b[0m";
    return *this;
  }
  // Somebody's bytes, shortened between characters.
  Sentence& quote(std::string_view bytes, Tone tone = Tone::Plain) {
    const std::size_t end = end_of_whole_characters(bytes);
    const std::string shown = text::for_people(bytes.substr(0, end));
    return add(end < bytes.size() ? shown + "..." : shown, tone);
  }
  // Bytes that the plugin may have chosen, on a line on which they must not pass for ours.
  Sentence& word(std::string_view bytes, Tone tone = Tone::Plain, std::size_t most = kLongestText) {
    const std::size_t end = end_of_whole_characters(bytes, most);
    const std::string shown = text::word_for_people(bytes.substr(0, end));
    return add(end < bytes.size() ? shown + "..." : shown, tone);
  }
  Sentence& words(const std::vector<std::string>& all) {
    std::size_t left = kLongestText;
    for (const std::string& each : all) {
      if (&each != &all.front()) add(" ");
      if (left == 0) return add("...");
      word(each, Tone::Plain, left);
      left -= std::min(left, each.size() + 1);
    }
    return *this;
  }
  [[nodiscard]] std::string take() && { return std::move(out_); }

 private:
  static std::string_view code_of(Tone tone) {
    switch (tone) {
      case Tone::Plain: return "";
      case Tone::Faint: return "\x1b[2m";
      case Tone::Good: return "\x1b[32m";
      case Tone::Warn: return "\x1b[33m";
      case Tone::Bad: return "\x1b[31m";
    }
    return "";
  }
  static std::size_t end_of_whole_characters(std::string_view bytes, std::size_t most = kLongestText) {
    std::size_t end = 0;
    while (end < bytes.size()) {
      const std::size_t next = end + text::first_character(bytes.substr(end)).size;
      if (next > most) break;
      end = next;
    }
    return end;
  }

  Colour colour_;
  std::string out_;
};

using Tone = Sentence::Tone;

std::string joined(const std::vector<std::string>& words) {
  std::string all;
  for (const std::string& word : words) all.append(all.empty() ? "" : " ").append(word);
  return all;
}

// Why a layer is not enforced in full is the same from run to run, and in --json: here its name is enough.
void tell(Sentence& out, const event::Layer& layer) {
  const Tone tone = layer.state == event::LayerState::Absent ? Tone::Bad : Tone::Warn;
  out.quote(layer.name, tone).add(" ", tone).add(event::name_of(layer.state), tone);
}

void tell(Sentence& out, const event::RunStarted& started) {
  const auto enforced = std::ranges::count(started.policy, event::LayerState::Enforced, &event::Layer::state);
  out.words(started.command).add(" | ").add(std::to_string(enforced) + " layers enforced", Tone::Good);
  for (const event::Layer& layer : started.policy)
    if (layer.state != event::LayerState::Enforced) tell(out.add(", "), layer);
  if (!started.event_source.empty()) out.add(" | events: ").quote(started.event_source);
}

std::string name_of_signal(int signal) {
  const char* name = ::sigabbrev_np(signal);
  return name != nullptr ? std::string("SIG") + name : "signal " + std::to_string(signal);
}

Tone tone_of(const event::RunEnded& ended) {
  const bool well = ended.outcome == event::Outcome::Exited && ended.exit.value_or(1) == 0;
  return well ? Tone::Good : Tone::Bad;
}

void tell(Sentence& out, const event::Counts& counts) {
  for (std::size_t index = 0; index < counts.size(); ++index)
    out.add(index == 0 ? "" : ", ").quote(counts[index].first).add(" " + std::to_string(counts[index].second));
}

void tell(Sentence& out, const event::RunEnded& ended) {
  out.add(event::name_of(ended.outcome), tone_of(ended));
  if (ended.exit) out.add(" " + std::to_string(*ended.exit), tone_of(ended));
  if (ended.signal) out.add(" " + name_of_signal(*ended.signal), tone_of(ended));
  const event::Accounts& cost = ended.accounts;
  out.add(" after " + text::human_duration(std::chrono::milliseconds(cost.wall_ms)));
  out.add(", cpu " + text::human_duration(std::chrono::milliseconds(cost.user_ms + cost.sys_ms)));
  if (cost.memory_peak) out.add(", memory " + text::human_size(*cost.memory_peak));
  if (cost.bytes_sent.value_or(0) + cost.bytes_received.value_or(0) != 0)
    out.add(", sent " + text::human_size(*cost.bytes_sent) + ", received " + text::human_size(*cost.bytes_received));
  if (cost.throttled_ms.value_or(0) != 0)
    out.add(", throttled " + text::human_duration(std::chrono::milliseconds(*cost.throttled_ms)));
  if (!ended.reason.empty()) out.add(": ").quote(ended.reason);
  if (!ended.limits.empty()) tell(out.add(" | limits reached: ", Tone::Warn), ended.limits);
  if (!ended.counted.empty()) tell(out.add(" | only counted: ", Tone::Warn), ended.counted);
  if (!ended.lost.empty()) tell(out.add(" | lost: ", Tone::Bad), ended.lost);
}

void tell(Sentence& out, const event::Fault& fault) {
  if (!fault.place.empty()) out.quote(fault.place).add(": ");
  out.quote(fault.message);
}

void tell(Sentence& out, const event::RunRefused& refused) {
  out.add("refused", Tone::Bad).add(": ");
  const std::string reason = refused.layer.empty() ? refused.reason : refused.layer + ": " + refused.reason;
  const bool is_told = !refused.faults.empty() && refused.faults.front().message == reason;  // and with its place
  if (!is_told) out.quote(reason).add(refused.faults.empty() ? "" : ": ");
  if (!refused.faults.empty()) tell(out, refused.faults.front());
  if (refused.faults.size() > 1) out.add(" and " + std::to_string(refused.faults.size() - 1) + " more");
  if (!refused.hint.empty()) out.add(" | hint: ").quote(refused.hint);
}

void tell(Sentence& out, const event::LogOpened& opened) {
  if (!opened.profile_path.empty()) out.add("log of ").quote(opened.profile_path);
  if (!opened.previous.empty())
    out.add(" continues ").quote(opened.previous).add(" from byte " + std::to_string(opened.previous_offset));
}

void tell(Sentence& out, const event::Named& named) {
  if (named.unknown) out.add("an unreadable path", Tone::Warn);
  else out.word(named.path);
  if (!named.requested.empty()) out.add(" (asked for as ").word(named.requested).add(")");
  if (!named.marks.empty()) out.add(" (").quote(joined(named.marks), Tone::Warn).add(")");
}

void tell(Sentence& out, const event::FileOpen& opened) {
  out.quote(joined(opened.access)).add(" ");
  tell(out, opened.named);
}

void tell(Sentence& out, const event::FileCreate& created) {
  out.add("create ").quote(created.type).add(" ");
  tell(out, created.named);
}

void tell(Sentence& out, const event::FileDelete& deleted) { tell(out.add("delete "), deleted.named); }

void tell(Sentence& out, const event::FileRename& renamed) {
  tell(out.add("rename "), renamed.named);
  tell(out.add(" to "), renamed.to);
}

void tell(Sentence& out, const event::FileLink& linked) {
  tell(out.add("link "), linked.named);
  tell(out.add(" to "), linked.target);
}

void tell(Sentence& out, const event::FileMetadata& changed) {
  out.add("change ").quote(changed.attribute).add(" of ");
  tell(out, changed.named);
}

// Enough of a digest to tell versions apart by eye.
void tell_digest(Sentence& out, std::string_view sha256) {
  if (!sha256.empty()) out.add(" sha256 ", Tone::Faint).quote(sha256.substr(0, kShortDigest), Tone::Faint);
}

void tell(Sentence& out, const event::ProcessExec& executed) {
  tell(out.add("run "), executed.named);
  if (!executed.argv.empty() || executed.argv_cut)
    out.add(" as ").words(executed.argv).add(executed.argv_cut ? " ..." : "");
  tell_digest(out, executed.sha256);
}

void tell(Sentence& out, const event::ProcessExit& ended) {
  if (ended.exit) out.add("status " + std::to_string(*ended.exit));
  if (ended.signal) out.add("signal " + std::to_string(*ended.signal));
}

void tell(Sentence& out, const event::PluginFile& file) {
  out.word(file.path);
  tell_digest(out, file.sha256);
  if (!file.problem.empty()) out.add(": ").quote(file.problem, Tone::Warn);
}

void tell(Sentence& out, const event::Peer& peer) {
  if (peer.unknown) out.add("an unreadable address", Tone::Warn);
  if (!peer.path.empty()) out.word(peer.path);
  if (!peer.address.empty()) out.quote(peer.address);
  if (peer.port) out.add(" port " + std::to_string(*peer.port));
  if (peer.family) out.add("family " + std::to_string(*peer.family));
  if (!peer.host.empty()) out.add(" (").quote(peer.host).add(")");
  if (peer == event::Peer{}) out.add("others");
}

void tell(Sentence& out, const event::NetConnect& net) {
  if (net.call == "socketpair") out.add("make a pair of unix sockets");
  else tell(out.add("connect to "), net.peer);
  if (!net.reason.empty()) out.add(": ").quote(net.reason, Tone::Warn);
}
void tell(Sentence& out, const event::NetListen& net) { tell(out.add("listen on "), net.peer); }
void tell(Sentence& out, const event::NetAccept& net) { tell(out.add("accept on "), net.peer); }
void tell(Sentence& out, const event::NetSend& net) { tell(out.add("send to "), net.peer); }

void tell(Sentence& out, const event::NetDns& dns) {
  out.add("look up ").quote(dns.type).add(" of ").quote(dns.name.empty() ? "." : dns.name);
  if (!dns.answers.empty() || dns.answers_cut)
    out.add(": ").words(dns.answers).add(dns.answers_cut ? " ..." : "");
  if (!dns.rcode.empty()) out.add(": ").quote(dns.rcode);
  if (!dns.reason.empty()) out.add(": ").quote(dns.reason, Tone::Warn);
}

void tell(Sentence& out, const event::NetFlow& flow) {
  tell(out.quote(flow.protocol).add(" with "), flow.peer);
  out.add(": " + std::to_string(flow.bytes_sent) + " bytes sent, " + std::to_string(flow.bytes_received) +
          " received, " + std::to_string(flow.duration_ms) + " ms");
}

template <typename Call>
void tell_call(Sentence& out, const Call& call) {
  if (call.call.empty()) out.add("call " + std::to_string(call.number));
  else out.quote(call.call);
  if (!call.abi.empty()) out.add(" of ").quote(call.abi);
  for (const auto& [name, value] : call.arguments) out.add(" ").quote(name).add("=" + std::to_string(value));
}

void tell(Sentence& out, const event::SyscallDenied& denied) { tell_call(out, denied); }

void tell(Sentence& out, const event::PrivilegeAttempt& attempt) {
  tell_call(out.quote(attempt.privilege).add(": "), attempt);
  if (!attempt.capability.empty()) out.add(" without ").quote(attempt.capability);
}

void tell(Sentence& out, const event::LimitReached& reached) {
  out.quote(reached.which, Tone::Warn).add(" reached: " + std::to_string(reached.value));
  if (reached.value != reached.limit) out.add(" of " + std::to_string(reached.limit));
}

void tell(Sentence& out, const event::MonitorLost& lost) {
  out.add(std::to_string(lost.count) + " events lost", Tone::Bad).add(": ").quote(lost.reason);
}

void tell(Sentence& out, const event::OperatorAction& action) {
  out.quote(action.action, Tone::Warn).add(" by uid " + std::to_string(action.by_uid));
  if (action.by_pid != 0) out.add(", pid " + std::to_string(action.by_pid));
  if (!action.reason.empty()) out.add(": ").quote(action.reason);
}

void tell(Sentence& out, const event::MonitorChanged& changed) {
  out.add("events from here on: ").quote(changed.event_source, Tone::Warn).add(": ").quote(changed.reason);
}

Tone tone_of(event::Decision decision) {
  switch (decision) {
    case event::Decision::Allowed: return Tone::Good;
    case event::Decision::Denied: return Tone::Bad;
    case event::Decision::Failed: return Tone::Warn;
  }
  return Tone::Plain;
}

// In front of what was tried.
void tell_decision(Sentence& out, const event::Verdict& verdict) {
  out.add(event::name_of(verdict.decision), tone_of(verdict.decision)).add(": ");
}

// Behind it: who said no, and by which line.
void tell_reason(Sentence& out, const event::Verdict& verdict) {
  if (verdict.error != 0) out.add(" | " + errno_name(verdict.error));
  if (!verdict.layer.empty()) out.add(" by ").quote(verdict.layer);
  if (!verdict.rule.empty()) out.add(", rule ").quote(verdict.rule);
}

// And who says so: what came about, or what the plan foretells.
void tell_source(Sentence& out, const event::Event& event) {
  out.add(" | " + std::string(event::name_of(event.source)), Tone::Faint);
  if (event.verdict->predicted) out.add(", foretold", Tone::Faint);
}

void tell(Sentence& out, const event::Repeats& repeats) {
  out.add(" | " + std::to_string(repeats.count) + " more of these", Tone::Faint);
  for (const std::string& sample : repeats.samples) out.add(" ").word(sample, Tone::Faint);
}

// "2026-11-21 00:54:45.123Z"
std::string time_for_people(clock::WallTime time) {
  std::string shown = clock::rfc3339(time).substr(0, std::string_view("2026-11-21T00:54:45.123").size());
  shown[shown.find('T')] = ' ';
  return shown + "Z";
}

std::string padded(std::string_view word, std::size_t width) {
  std::string out(word);
  out.append(width - std::min(width, out.size()), ' ');
  return out;
}

}  // namespace

std::string render(const event::Record& record, Colour colour) {
  const event::Stamp& stamp = record.stamp;
  Sentence out(colour);
  out.add(time_for_people(stamp.time), Tone::Faint).add("  ").quote(stamp.profile).add("  ");
  out.quote(stamp.run.substr(0, kShortRun), Tone::Faint).add("  ");
  out.add(padded(event::kind_of(record.event.body), 12)).add("  ");
  if (record.event.verdict) tell_decision(out, *record.event.verdict);
  std::visit([&out](const auto& what) { tell(out, what); }, record.event.body);
  if (record.event.verdict) tell_reason(out, *record.event.verdict);
  if (record.event.verdict) tell_source(out, record.event);
  if (record.event.repeats) tell(out, *record.event.repeats);
  return std::move(out).take();
}

std::string render(const Line& line, Colour colour) {
  Sentence out(colour);
  switch (line.sort) {
    case Line::Sort::Record: return render(*line.record, colour);
    case Line::Sort::Foreign: return std::move(out.add(json::harmless(line.text))).take();
    case Line::Sort::Torn: return std::move(out.add("torn", Tone::Bad).add(": ").quote(line.text)).take();
  }
  return {};
}

std::string render_unfinished(const std::string& run) {
  return "run " + text::for_people(run.substr(0, kShortRun)) +
         ": no run.ended: interrupted, unless it is still going on, which the log alone cannot tell";
}

}  // namespace jail::audit
