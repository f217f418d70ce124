// The mirror of encode.cc. Lenient about what is absent, strict about what makes a record: schema, number, time, run
// and a kind and spellings that this build knows.
#include <algorithm>
#include <cstdint>
#include <limits>

#include "base/error.h"
#include "event/encode.h"
#include "event/names.h"

namespace jail::event {
namespace {

using json::Value;

std::string text(Value value) { return value.bytes().value_or(""); }

std::vector<std::string> texts(Value value) {
  std::vector<std::string> list;
  for (const Value item : value.items()) list.push_back(text(item));
  return list;
}

std::uint64_t count(Value value) { return value.natural().value_or(0); }

template <typename Number>
std::optional<Number> number(Value value) {
  const std::optional<std::int64_t> wide = value.integer();
  if (!wide || *wide < std::numeric_limits<Number>::min() || *wide > std::numeric_limits<Number>::max())
    return std::nullopt;
  return static_cast<Number>(*wide);
}

std::uint32_t id(Value value) { return number<std::uint32_t>(value).value_or(0); }

Counts counts(Value value) {
  Counts counts;
  for (const auto& [name, member] : value.members()) counts.emplace_back(name, count(member));
  return counts;
}

User user(Value value) {
  User user{.uid = id(value["uid"]), .gid = id(value["gid"]), .groups = {}};
  for (const Value group : value["groups"].items()) user.groups.push_back(id(group));
  user.inside_uid = id(value["inside"]["uid"]);
  user.inside_gid = id(value["inside"]["gid"]);
  return user;
}

Accounts accounts(Value value) {
  return {.wall_ms = count(value["wall_ms"]),
          .user_ms = count(value["user_ms"]),
          .sys_ms = count(value["sys_ms"]),
          .throttled_ms = value["throttled_ms"].natural(),
          .memory_peak = value["memory_peak"].natural(),
          .processes = value["processes"].natural(),
          .processes_peak = value["processes_peak"].natural(),
          .blocks_read = value["blocks_read"].natural(),
          .blocks_written = value["blocks_written"].natural(),
          .bytes_read = value["bytes_read"].natural(),
          .bytes_written = value["bytes_written"].natural(),
          .bytes_sent = value["bytes_sent"].natural(),
          .bytes_received = value["bytes_received"].natural()};
}

std::optional<std::vector<Layer>> policy(Value value) {
  std::vector<Layer> layers;
  for (const Value item : value.items()) {
    const std::optional<LayerState> state = named<LayerState>(text(item["state"]));
    if (!state) return std::nullopt;
    layers.push_back({text(item["layer"]), *state, text(item["reason"]), text(item["asked_by"])});
  }
  return layers;
}

bool read(Value value, RunStarted& started) {
  std::optional<std::vector<Layer>> layers = policy(value["policy"]);
  if (!layers) return false;
  started = {.command = texts(value["command"]),
             .profile_path = text(value["profile_path"]),
             .profile_digest = text(value["profile_digest"]),
             .plan_digest = text(value["plan_digest"]),
             .user = user(value["user"]),
             .cgroup = text(value["cgroup"]),
             .kernel = text(value["kernel"]),
             .policy = std::move(*layers),
             .event_source = text(value["event_source"]),
             .blind_spots = texts(value["blind_spots"]),
             .sources = texts(value["sources"]),
             .passed = texts(value["passed"])};
  return true;
}

bool read(Value value, RunEnded& ended) {
  const std::optional<Outcome> outcome = named<Outcome>(text(value["outcome"]));
  if (!outcome) return false;
  ended = {.outcome = *outcome,
           .exit = number<int>(value["exit"]),
           .signal = number<int>(value["signal"]),
           .reason = text(value["reason"]),
           .accounts = accounts(value),
           .limits = counts(value["limits"]),
           .events = counts(value["events"]),
           .counted = counts(value["counted"]),
           .lost = counts(value["lost"]),
           .landlock = counts(value["landlock_denials"])};
  return true;
}

bool read(Value value, RunRefused& refused) {
  refused = {text(value["reason"]), text(value["layer"]), text(value["hint"]), {}};
  for (const Value item : value["faults"].items())
    refused.faults.push_back({text(item["place"]), text(item["message"]), text(item["hint"])});
  return true;
}

bool read(Value value, LogOpened& opened) {
  opened = {text(value["profile_path"]), text(value["previous"]), count(value["previous_offset"])};
  return true;
}

std::optional<FileId> file_in(Value value) {
  const std::vector<Value> numbers = value["file"].items();
  if (numbers.size() != 3) return std::nullopt;
  return FileId{count(numbers[0]), count(numbers[1]), count(numbers[2])};
}

Named name_in(Value value) {
  return {text(value["path"]), text(value["requested"]), value["path_unknown"].boolean().value_or(false),
          texts(value["marks"]), file_in(value)};
}

template <typename Call>
std::string call_in(Value value) {
  const Value call = value["call"];
  return call ? text(call) : std::string(Call::kUsualCall);
}

bool read(Value value, FileOpen& opened) {
  opened = {text(value["call"]), name_in(value), texts(value["access"])};
  if (!value["access"]) opened.access.emplace_back(kUsualAccess);
  if (!value["call"]) opened.call = usual_call(opened.access);
  return true;
}

bool read(Value value, FileCreate& created) {
  created = {call_in<FileCreate>(value), name_in(value), text(value["type"])};
  return true;
}

bool read(Value value, FileDelete& deleted) {
  deleted = {call_in<FileDelete>(value), name_in(value)};
  return true;
}

bool read(Value value, FileRename& renamed) {
  renamed = {call_in<FileRename>(value), name_in(value), name_in(value["to"])};
  return true;
}

bool read(Value value, FileLink& linked) {
  linked = {call_in<FileLink>(value), name_in(value), name_in(value["target"])};
  return true;
}

bool read(Value value, FileMetadata& changed) {
  changed = {call_in<FileMetadata>(value), name_in(value), text(value["attribute"])};
  return true;
}

bool is_cut(Value value, std::string_view member) {
  const std::vector<std::string> truncated = texts(value["truncated"]);
  return std::ranges::find(truncated, member) != truncated.end();
}

bool read(Value value, ProcessExec& executed) {
  executed = {call_in<ProcessExec>(value), name_in(value), texts(value["argv"]), is_cut(value, "argv"),
              text(value["sha256"]), number<std::int32_t>(value["parent"])};
  return true;
}

bool read(Value value, ProcessExit& ended) {
  ended = {number<int>(value["exit"]), number<int>(value["signal"])};
  return true;
}

bool read(Value value, PluginFile& file) {
  file = {text(value["path"]), text(value["sha256"]), text(value["problem"])};
  return true;
}

Peer peer_in(Value value) {
  return {text(value["address"]), number<std::uint16_t>(value["port"]), text(value["path"]),
          number<std::uint16_t>(value["family"]), value["address_unknown"].boolean().value_or(false),
          text(value["host"])};
}

template <typename Net>
bool read_net(Value value, Net& net) {
  net.call = call_in<Net>(value);
  net.peer = peer_in(value);
  return true;
}
bool read(Value value, NetConnect& net) {
  net.reason = text(value["reason"]);
  return read_net(value, net);
}
bool read(Value value, NetListen& net) { return read_net(value, net); }
bool read(Value value, NetAccept& net) { return read_net(value, net); }
bool read(Value value, NetSend& net) { return read_net(value, net); }

bool read(Value value, NetDns& dns) {
  dns = {.name = text(value["name"]),
         .type = text(value["type"]),
         .rcode = text(value["rcode"]),
         .answers = texts(value["answers"]),
         .answers_cut = is_cut(value, "answers"),
         .ttl = number<std::uint32_t>(value["ttl"]),
         .reason = text(value["reason"])};
  return true;
}

bool read(Value value, NetFlow& flow) {
  flow = {.protocol = text(value["protocol"]),
          .peer = peer_in(value),
          .local_port = number<std::uint16_t>(value["local_port"]).value_or(0),
          .bytes_sent = count(value["bytes_sent"]),
          .packets_sent = count(value["packets_sent"]),
          .bytes_received = count(value["bytes_received"]),
          .packets_received = count(value["packets_received"]),
          .duration_ms = count(value["duration_ms"])};
  return true;
}

template <typename Call>
bool read_call(Value value, Call& call) {
  call.call = text(value["call"]);
  call.number = id(value["number"]);
  call.abi = text(value["abi"]);
  call.arguments = counts(value["arguments"]);
  return true;
}
bool read(Value value, SyscallDenied& denied) { return read_call(value, denied); }
bool read(Value value, PrivilegeAttempt& attempt) {
  attempt.privilege = text(value["privilege"]);
  attempt.capability = text(value["capability"]);
  return read_call(value, attempt);
}

bool read(Value value, LimitReached& reached) {
  reached = {text(value["which"]), count(value["value"]), count(value["limit"])};
  return true;
}

bool read(Value value, MonitorLost& lost) {
  lost = {count(value["count"]), text(value["reason"])};
  return true;
}

bool read(Value value, OperatorAction& action) {
  action = {text(value["action"]), static_cast<std::uint32_t>(count(value["by_uid"])),
            static_cast<std::int32_t>(count(value["by_pid"])), text(value["reason"])};
  return true;
}

bool read(Value value, MonitorChanged& changed) {
  changed = {text(value["event_source"]), text(value["reason"])};
  return true;
}

std::optional<Verdict> verdict(Value value) {
  const std::optional<Decision> decision = named<Decision>(text(value["decision"]));
  if (!decision) return std::nullopt;
  return Verdict{*decision, text(value["layer"]), text(value["rule"]), errno_of(text(value["errno"])),
                 value["predicted"].boolean().value_or(false)};
}

std::optional<Repeats> repeats(Value value) {
  const std::optional<clock::WallTime> first = clock::parse_rfc3339(text(value["first"]));
  const std::optional<clock::WallTime> last = clock::parse_rfc3339(text(value["last"]));
  if (!first || !last) return std::nullopt;
  return Repeats{count(value["count"]), *first, *last, texts(value["samples"])};
}

template <std::size_t kIndex = 0>
std::optional<Body> body(std::string_view kind, Value value) {
  if constexpr (kIndex == std::variant_size_v<Body>) {
    return std::nullopt;
  } else {
    std::variant_alternative_t<kIndex, Body> what;
    if (kind != what.kKind) return body<kIndex + 1>(kind, value);
    if (!read(value, what)) return std::nullopt;
    return what;
  }
}

std::optional<Stamp> stamp(Value value) {
  const std::optional<clock::WallTime> time = clock::parse_rfc3339(text(value["time"]));
  const std::optional<std::uint64_t> seq = value["seq"].natural();
  if (value["schema"].bytes() != kSchema || !time || !seq || !value["run"]) return std::nullopt;
  return Stamp{*seq, *time, count(value["mono_ns"]), text(value["run"]), text(value["profile"])};
}

}  // namespace

std::optional<Record> decode(std::string_view line) {
  const std::optional<json::Document> document = json::Document::parse(line, {.bytes = kMaxLine});
  if (!document) return std::nullopt;
  const Value root = document->root();
  const std::optional<Stamp> stamped = stamp(root);
  const std::optional<Verdict> decided = verdict(root);
  std::optional<Source> source = named<Source>(text(root["source"]));
  if (!root["source"] && decided) source = Source::Notify;
  std::optional<Body> what = body(text(root["kind"]), root);
  if (!stamped || !source || !what) return std::nullopt;
  Event event{.body = std::move(*what),
              .source = *source,
              .process = root["process"].natural(),
              .pid = number<std::int32_t>(root["pid"]),
              .jail_pid = number<std::int32_t>(root["jail_pid"]),
              .mono_ns = 0,
              .verdict = decided,
              .expected = root["expected"].boolean().value_or(false),
              .repeats = repeats(root)};
  return Record{*stamped, std::move(event), texts(root["truncated"])};
}

}  // namespace jail::event
