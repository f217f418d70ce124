// One function a kind. A record that comes out too long is written again with half the limits, and again: rare enough
// that the ordinary record pays nothing for it, and no kind has to reckon with the size of another member.
#include "event/encode.h"

#include <algorithm>
#include <array>
#include <cassert>

#include "base/error.h"
#include "event/fields.h"
#include "event/names.h"

namespace jail::event {
namespace {

// Below these no halving goes. 32 items keep the whole vocabulary of layers; a record of nothing but members at these
// bounds stays below kMaxLine, which a test tries for every kind.
constexpr Limits kFloor{.text = 48, .items = 32};

void write(Fields& out, const User& user) {
  out.number("uid", user.uid);
  out.number("gid", user.gid);
  out.numbers("groups", user.groups);
  out.object("inside", [&] {
    out.number("uid", user.inside_uid);
    out.number("gid", user.inside_gid);
  });
}

void write(Fields& out, const Layer& layer) {
  out.word("layer", layer.name);
  out.word("state", spelled(layer.state));
  out.text("reason", layer.reason);
  out.text("asked_by", layer.asked_by);
}

void write(Fields& out, const Accounts& accounts) {
  out.number("wall_ms", accounts.wall_ms);
  out.number("user_ms", accounts.user_ms);
  out.number("sys_ms", accounts.sys_ms);
  out.number("throttled_ms", accounts.throttled_ms);
  out.number("memory_peak", accounts.memory_peak);
  out.number("processes", accounts.processes);
  out.number("processes_peak", accounts.processes_peak);
  out.number("blocks_read", accounts.blocks_read);
  out.number("blocks_written", accounts.blocks_written);
  out.number("bytes_read", accounts.bytes_read);
  out.number("bytes_written", accounts.bytes_written);
  out.number("bytes_sent", accounts.bytes_sent);
  out.number("bytes_received", accounts.bytes_received);
}

void write(Fields& out, const Fault& fault) {
  out.text("place", fault.place);
  out.text("message", fault.message);
  out.text("hint", fault.hint);
}

void write(Fields& out, const RunStarted& started) {
  out.texts("command", started.command);
  out.text("profile_path", started.profile_path);
  out.word("profile_digest", started.profile_digest);
  out.word("plan_digest", started.plan_digest);
  out.object("user", [&] { write(out, started.user); });
  out.text("cgroup", started.cgroup);
  out.text("kernel", started.kernel);
  out.objects("policy", started.policy, [&](const Layer& layer) { write(out, layer); });
  out.word("event_source", started.event_source);
  out.texts("blind_spots", started.blind_spots);
  if (!started.sources.empty()) out.texts("sources", started.sources);
  if (!started.passed.empty()) out.texts("passed", started.passed);
}

void write(Fields& out, const RunEnded& ended) {
  out.word("outcome", spelled(ended.outcome));
  out.number("exit", ended.exit);
  out.number("signal", ended.signal);
  out.text("reason", ended.reason);
  write(out, ended.accounts);
  if (!ended.limits.empty()) out.counts("limits", ended.limits);
  out.counts("events", ended.events);
  if (!ended.counted.empty()) out.counts("counted", ended.counted);
  out.counts("lost", ended.lost);
  if (!ended.landlock.empty()) out.counts("landlock_denials", ended.landlock);
}

void write(Fields& out, const RunRefused& refused) {
  out.text("reason", refused.reason);
  out.text("layer", refused.layer);
  out.text("hint", refused.hint);
  if (!refused.faults.empty()) out.objects("faults", refused.faults, [&](const Fault& fault) { write(out, fault); });
}

void write(Fields& out, const LogOpened& opened) {
  out.text("profile_path", opened.profile_path);
  out.text("previous", opened.previous);
  if (!opened.previous.empty()) out.number("previous_offset", opened.previous_offset);
}

void write(Fields& out, const Named& named) {
  out.text("path", named.path);
  out.text("requested", named.requested);
  out.flag("path_unknown", named.unknown);
  if (!named.marks.empty()) out.texts("marks", named.marks);
  if (!named.file) return;
  out.numbers("file", std::array{named.file->device, named.file->inode, named.file->mount});
}

template <typename Call>
void write_name(Fields& out, const Call& call) {
  if (call.call != Call::kUsualCall) out.word("call", call.call);
}

void write(Fields& out, const FileOpen& opened) {
  if (opened.call != usual_call(opened.access)) out.word("call", opened.call);
  write(out, opened.named);
  if (opened.access.size() != 1 || opened.access.front() != kUsualAccess) out.texts("access", opened.access);
}

void write(Fields& out, const FileCreate& created) {
  write_name(out, created);
  write(out, created.named);
  out.word("type", created.type);
}

void write(Fields& out, const FileDelete& deleted) {
  write_name(out, deleted);
  write(out, deleted.named);
}

void write(Fields& out, const FileRename& renamed) {
  write_name(out, renamed);
  write(out, renamed.named);
  out.object("to", [&] { write(out, renamed.to); });
}

void write(Fields& out, const FileLink& linked) {
  write_name(out, linked);
  write(out, linked.named);
  out.object("target", [&] { write(out, linked.target); });
}

void write(Fields& out, const FileMetadata& changed) {
  write_name(out, changed);
  write(out, changed.named);
  out.word("attribute", changed.attribute);
}

void write(Fields& out, const ProcessExec& executed) {
  write_name(out, executed);
  write(out, executed.named);
  if (!executed.argv.empty()) out.texts("argv", executed.argv);
  if (executed.argv_cut) out.cut("argv");
  if (!executed.sha256.empty()) out.word("sha256", executed.sha256);
  out.number("parent", executed.parent);
}

void write(Fields& out, const ProcessExit& ended) {
  out.number("exit", ended.exit);
  out.number("signal", ended.signal);
}

void write(Fields& out, const PluginFile& file) {
  out.text("path", file.path);
  if (!file.sha256.empty()) out.word("sha256", file.sha256);
  out.text("problem", file.problem);
}

void write(Fields& out, const Peer& peer) {
  out.text("address", peer.address);
  out.number("port", peer.port);
  out.text("path", peer.path);
  out.number("family", peer.family);
  out.flag("address_unknown", peer.unknown);
  out.text("host", peer.host);
}

template <typename Net>
void write_net(Fields& out, const Net& net) {
  write_name(out, net);
  write(out, net.peer);
}
void write(Fields& out, const NetConnect& net) {
  write_net(out, net);
  out.text("reason", net.reason);
}
void write(Fields& out, const NetListen& net) { write_net(out, net); }
void write(Fields& out, const NetAccept& net) { write_net(out, net); }
void write(Fields& out, const NetSend& net) { write_net(out, net); }

void write(Fields& out, const NetDns& dns) {
  out.text("name", dns.name);
  out.word("type", dns.type);
  if (!dns.rcode.empty()) out.word("rcode", dns.rcode);
  if (!dns.answers.empty()) out.texts("answers", dns.answers);
  if (dns.answers_cut) out.cut("answers");
  out.number("ttl", dns.ttl);
  out.text("reason", dns.reason);
}

void write(Fields& out, const NetFlow& flow) {
  out.word("protocol", flow.protocol);
  write(out, flow.peer);
  out.number("local_port", flow.local_port);
  out.number("bytes_sent", flow.bytes_sent);
  out.number("packets_sent", flow.packets_sent);
  out.number("bytes_received", flow.bytes_received);
  out.number("packets_received", flow.packets_received);
  out.number("duration_ms", flow.duration_ms);
}

template <typename Call>
void write_call(Fields& out, const Call& call) {
  if (!call.call.empty()) out.word("call", call.call);
  out.number("number", call.number);
  if (!call.abi.empty()) out.word("abi", call.abi);
  if (!call.arguments.empty()) out.counts("arguments", call.arguments);
}

void write(Fields& out, const SyscallDenied& denied) { write_call(out, denied); }

void write(Fields& out, const PrivilegeAttempt& attempt) {
  out.word("privilege", attempt.privilege);
  write_call(out, attempt);
  if (!attempt.capability.empty()) out.word("capability", attempt.capability);
}

void write(Fields& out, const LimitReached& reached) {
  out.word("which", reached.which);
  out.number("value", reached.value);
  out.number("limit", reached.limit);
}

void write(Fields& out, const MonitorLost& lost) {
  out.number("count", lost.count);
  out.text("reason", lost.reason);
}

void write(Fields& out, const MonitorChanged& changed) {
  out.word("event_source", changed.event_source);
  out.text("reason", changed.reason);
}

void write(Fields& out, const OperatorAction& action) {
  out.word("action", action.action);
  out.number("by_uid", action.by_uid);
  if (action.by_pid != 0) out.number("by_pid", action.by_pid);
  if (!action.reason.empty()) out.text("reason", action.reason);
}

void write(Fields& out, const Verdict& verdict) {
  out.word("decision", spelled(verdict.decision));
  if (!verdict.layer.empty()) out.word("layer", verdict.layer);
  out.text("rule", verdict.rule);
  if (verdict.error != 0) out.word("errno", errno_name(verdict.error));
  out.flag("predicted", verdict.predicted);
}

void write(Fields& out, const Repeats& repeats) {
  out.number("count", repeats.count);
  out.word("first", clock::rfc3339(repeats.first));
  out.word("last", clock::rfc3339(repeats.last));
  if (!repeats.samples.empty()) out.texts("samples", repeats.samples);
}

void write_common(Fields& out, const Stamp& stamp, const Event& event) {
  out.word("schema", kSchema);
  out.number("seq", stamp.seq);
  out.word("time", clock::rfc3339(stamp.time));
  out.number("mono_ns", stamp.mono_ns);
  out.word("run", stamp.run);
  out.word("profile", stamp.profile);
  out.word("kind", kind_of(event.body));
  if (!event.verdict || event.source != Source::Notify) out.word("source", spelled(event.source));
  out.number("process", event.process);
  out.number("pid", event.pid);
  out.number("jail_pid", event.jail_pid);
}

void write_truncated(json::Writer& writer, const std::vector<std::string_view>& names) {
  if (names.empty()) return;
  writer.key("truncated");
  writer.begin_array();
  for (const std::string_view name : names) writer.value(name);
  writer.end_array();
}

void encode_within(const Stamp& stamp, const Event& event, const Redactor& redactor, Limits limits,
                   json::Writer& writer) {
  writer.clear();
  Fields out(writer, redactor, limits);
  writer.begin_object();
  write_common(out, stamp, event);
  std::visit([&out](const auto& what) { write(out, what); }, event.body);
  if (event.verdict) write(out, *event.verdict);
  out.flag("expected", event.expected);
  if (event.repeats) write(out, *event.repeats);
  write_truncated(writer, out.truncated());
  writer.end_object();
}

}  // namespace

void encode(const Stamp& stamp, const Event& event, const Redactor& redactor, json::Writer& writer) {
  Limits limits;
  encode_within(stamp, event, redactor, limits, writer);
  while (writer.text().size() >= kMaxLine && limits.text > kFloor.text) {
    limits = {std::max(limits.text / 2, kFloor.text), std::max(limits.items / 2, kFloor.items)};
    encode_within(stamp, event, redactor, limits, writer);
  }
  assert(writer.text().size() < kMaxLine);
}

}  // namespace jail::event
