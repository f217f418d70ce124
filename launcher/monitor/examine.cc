#include "monitor/examine.h"

#include <fcntl.h>
#include <fnmatch.h>
#include <linux/audit.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "monitor/arguments.h"
#include "monitor/call_attempt.h"
#include "monitor/file_attempt.h"
#include "monitor/host_files.h"
#include "monitor/peer.h"
#include "monitor/socket_attempt.h"
#include "profile/paths.h"

namespace jail::monitor {
namespace {

using event::Decision;
using Kind = NamedPlace::Kind;

constexpr std::string_view kDefault = "default";

std::string rule_text(const profile::Place* place) {
  return place == nullptr ? std::string(kDefault) : profile::line_of(*place);
}

event::Verdict verdict_of(const Prediction& prediction) {
  event::Verdict verdict{.decision = prediction.decision, .error = prediction.error, .predicted = true};
  if (prediction.decision != Decision::Denied) return verdict;
  verdict.layer = prediction.layer;
  verdict.rule = rule_text(prediction.rule);
  return verdict;
}

// Who asks, the host's mounts and the view, for whether they have what is asked for, and the jail's sockets.
struct Asker {
  const Caller& caller;
  Mounts& host;
  Links& view;
  sys::SocketDiag& sockets;
};

Prediction refused_by(std::string_view layer, int error) { return {Decision::Denied, layer, error}; }

// A denial of what nobody has is an ordinary failure.
void ask_host(Prediction& prediction, const Caller& caller, const Place& place, Mounts& host) {
  using Provided = Prediction::Provided;
  if (prediction.decision != Decision::Denied || prediction.provided == Provided::Always) return;
  const bool of_parent = prediction.provided == Provided::ParentExists;
  const bool of_process = prediction.provided == Provided::ProcessIsForeign;
  if (of_process && caller.sees_process(process_of(place.path))) prediction = {};
  else if (!host_may_have(of_parent ? std::string(profile::folder_of(place.path)) : place.path, host))
    prediction = {Decision::Failed, {}, ENOENT};
}

bool is_worth(profile::MonitorFiles files, unsigned wants, Decision decision) {
  if (decision == Decision::Denied) return true;
  if (files == profile::MonitorFiles::All) return true;
  const unsigned changes = kWrite | kCreate | kDelete | kExecute;
  return files == profile::MonitorFiles::Changes && decision == Decision::Allowed && (wants & changes) != 0;
}

bool is_expected(std::span<const profile::AbsentPattern> patterns, const std::string& path) {
  return std::ranges::any_of(patterns, [&path](const profile::AbsentPattern& pattern) {
    return ::fnmatch(pattern.glob.c_str(), path.c_str(), 0) == 0;
  });
}

// --- Files -----------------------------------------------------------------------------------------------------------

constexpr std::uint64_t kCreatFlags = O_CREAT | O_WRONLY | O_TRUNC;

// openat2(2) has them first in a struct open_how.
seccomp_data with_flags(const Caller& caller, seccomp_data call) {
  if (call.nr == SYS_openat2) call.args[2] = caller.value<std::uint64_t>(call.args[2]).value_or(0);
  return call;
}

std::uint64_t open_flags(const seccomp_data& call, const Call& row) {
  return row.flags == kNone ? kCreatFlags : call.args[row.flags];
}

unsigned wants_of(const seccomp_data& call, const Call& row) {
  switch (row.operation) {
    case Operation::Open: return wants_of_open(open_flags(call, row));
    case Operation::Create:
    case Operation::Link:
    case Operation::Symlink: return kCreate;
    case Operation::Delete:
    case Operation::Rename: return kDelete;
    case Operation::Metadata:
    case Operation::Truncate: return kWrite;
    case Operation::Execute: return kExecute;
    case Operation::MapCode:
    case Operation::ProtectCode: return kMap;
    case Operation::Enter: return kRead;
    default: return kLook;
  }
}

event::Body body_of(const seccomp_data& call, const Call& row, event::Named first, event::Named second) {
  std::string name = call_name(row.number);
  switch (row.operation) {
    case Operation::Open: return event::FileOpen{name, first, access_words(open_flags(call, row))};
    case Operation::Create:
      return event::FileCreate{name, first,
                               std::string(row.flags == kNone ? row.detail : node_type(call.args[row.flags]))};
    case Operation::Delete: return event::FileDelete{name, first};
    case Operation::Rename: return event::FileRename{name, first, second};
    case Operation::Link: return event::FileLink{name, second, first};
    case Operation::Symlink: return event::FileLink{name, second, event::Named{.path = first.requested}};
    case Operation::Metadata: return event::FileMetadata{name, first, std::string(row.detail)};
    case Operation::Truncate: return event::FileOpen{name, first, {std::string(row.detail)}};
    case Operation::CreateMemory: return event::FileCreate{name, first, std::string(row.detail)};
    case Operation::Execute: return event::ProcessExec{name, first, {}, {}};
    case Operation::MapCode:
    case Operation::ProtectCode: return event::FileOpen{name, first, {"execute"}};
    default: return event::FileOpen{name, first, {"stat"}};
  }
}

// The host's /tmp is another: what is there and not here was not granted.
bool is_in_the_hosts_alone(const Asker& asker, const Place& place, unsigned wants) {
  if (place.own != Own::Temporary) return false;
  const std::string needed = wants & kCreate ? std::string(profile::folder_of(place.path)) : place.path;
  return !asker.view.has(needed) && host_may_have(needed, asker.host);
}

Prediction predict_one(const Asker& asker, const Place& place, unsigned wants) {
  Prediction prediction = predict(place, wants);
  ask_host(prediction, asker.caller, place, asker.host);
  if (prediction.decision == Decision::Allowed && is_in_the_hosts_alone(asker, place, wants))
    return refused_by("mount", ENOENT);
  return prediction;
}

// What is there already is not made: O_CREAT asks for nothing then.
Prediction predict_open(const Asker& asker, const Place& place, unsigned wants, std::uint64_t flags) {
  const Prediction prediction = predict_one(asker, place, wants);
  const bool may_be_there = (wants & kCreate) && !(flags & O_EXCL) && prediction.decision == Decision::Denied;
  return may_be_there && asker.view.has(place.path) ? predict_one(asker, place, wants & ~kCreate) : prediction;
}

Prediction predict_both(const Asker& asker, const Place& from, unsigned wants_from, const Place& to) {
  Prediction first = predict_one(asker, from, wants_from);
  if (first.decision != Decision::Allowed) return first;
  Prediction second = predict_one(asker, to, kCreate);
  if (second.decision != Decision::Allowed) return second;
  return predict_move(from, wants_from, to, kCreate);
}

Prediction foresee(const Asker& asker, const seccomp_data& call, const Call& row, const NamedPlace& first,
                   const NamedPlace& second) {
  const unsigned wants = wants_of(call, row);
  const NamedPlace& decisive = row.operation == Operation::Symlink ? second : first;
  const bool one = row.operation == Operation::Symlink || !row.second.is_there();
  if (decisive.kind != Kind::File || (!one && second.kind != Kind::File)) return {.decision = Decision::Failed};
  if (row.operation == Operation::Open) return predict_open(asker, decisive.place, wants, open_flags(call, row));
  if (one) return predict_one(asker, decisive.place, wants);
  return predict_both(asker, first.place, row.operation == Operation::Link ? unsigned{kLook} : wants, second.place);
}

void add_arguments(event::ProcessExec& executed, const Caller& caller, const seccomp_data& call) {
  Arguments arguments = read_arguments(caller, call);
  executed.argv = std::move(arguments.texts);
  executed.argv_cut = arguments.cut;
}

// --- Sockets ---------------------------------------------------------------------------------------------------------

Place place_of(const Places& places, const Caller& caller, const std::string& path) {
  const std::string base = path.starts_with('/') ? "" : caller.current_folder() + "/";
  return places.find(base + path, [&caller](std::string_view name) { return caller.magic_link(name); });
}

bool is_granted_socket(const Place& place) {
  return place.anchor != nullptr && (place.anchor->access & confine::view::kSocket) && place.path == place.anchor->path;
}

// A call does not say whether it is of TCP or of UDP.
bool has_listener(const Asker& asker, std::uint16_t port) {
  std::optional<bool> found = asker.sockets.has_tcp_listener(AF_INET, port);
  if (found == false) found = asker.sockets.has_tcp_listener(AF_INET6, port);
  if (!found) found = asker.caller.has_tcp_listener(port);
  return *found || asker.caller.has_udp_socket(port);
}

// What the wall refuses (egress/ruleset.h): a stream is reset, of a datagram the sending fails.
int error_of_wall(Operation operation) { return operation == Operation::Connect ? ECONNREFUSED : EPERM; }

bool is_to_a_door(const Rules& rules, const Address& address) {
  if (address.reach == Reach::Abroad && rules.every_port_abroad) return true;
  const bool is_of_the_internet = address.reach == Reach::Abroad || address.reach == Reach::Loopback;
  return is_of_the_internet && std::ranges::binary_search(rules.ports_abroad, address.peer.port.value_or(0));
}

Prediction predict_address(const Rules& rules, const Places& places, const Asker& asker, Operation operation,
                           Address& address) {
  const Caller& caller = asker.caller;
  if (address.reach == Reach::Path) {
    const Place place = place_of(places, caller, address.peer.path);
    address.peer.path = place.path;
    const Prediction seen = predict_one(asker, place, kLook);
    if (seen.decision != Decision::Allowed || rules.unix_paths == Rules::UnixPaths::Open) return seen;
    if (place.anchor == nullptr || is_granted_socket(place)) return {};
    return refused_by(rules.unix_paths == Rules::UnixPaths::Landlock ? "landlock" : "network", EACCES);
  }
  if (rules.net == Rules::Net::Hosts) return {};
  if (address.reach == Reach::Abroad && rules.net == Rules::Net::Own) return refused_by("network", ENETUNREACH);
  if (address.reach == Reach::Abroad && rules.net == Rules::Net::Walled)
    return is_to_a_door(rules, address) ? Prediction{} : refused_by("network", error_of_wall(operation));
  if ((address.reach == Reach::Loopback || address.reach == Reach::Abroad) &&
      !has_listener(asker, address.peer.port.value_or(0)))
    return refused_by("network", ECONNREFUSED);
  if (address.reach == Reach::Abstract && !caller.has_abstract_listener(address.peer.path.substr(1)))
    return refused_by("network", ECONNREFUSED);
  return {};
}

// --- The rest --------------------------------------------------------------------------------------------------------

// Where nothing else says no, pid 1 has no ear for them.
Prediction to_init(Rules::Signals signals) {
  return signals == Rules::Signals::Scoped ? refused_by("landlock", EPERM) : Prediction{};
}

bool is_refusal(int error) { return error == EACCES || error == EPERM || error == EROFS; }

// What was foreseen, as it came about: for its own reasons, such as a file's mode, the kernel refuses more.
Prediction come_about(Prediction foreseen, int error) {
  if (error == 0) return {};
  const bool denied = foreseen.decision == Decision::Denied;
  const bool agrees = error == foreseen.error || is_refusal(error) || error == EXDEV;
  if (denied && agrees) foreseen.error = error;
  else if (is_refusal(error)) return refused_by("permission", error);
  else return {.decision = Decision::Failed, .error = error};
  return foreseen;
}

event::Event event_of(event::Body body, std::optional<event::Verdict> verdict) {
  event::Event event{.body = std::move(body), .source = event::Source::Notify};
  event.verdict = std::move(verdict);
  return event;
}

}  // namespace

void Examiner::look_into(Fd root, const std::string& mount_table) {
  open_view(std::move(root), mount_table);
  look_into_view();
}

void Examiner::open_view(Fd root, const std::string& mount_table) {
  own_ = Mounts(mount_table);
  own_.open();
  Mounts mounts(mount_table);
  mounts.open();
  links_ = Links(std::move(root), std::move(mounts));
}

void Examiner::look_into_view() { memory_ = own_.any_may_hang() ? Memory::Resident : Memory::Any; }

std::optional<event::Event> Examiner::refused(const seccomp_notif& notified, int error) const {
  if (is_ordinary_clone3(notified, caller_of(notified))) return std::nullopt;
  const std::optional<profile::Place> line =
      notified.data.arch == AUDIT_ARCH_X86_64
          ? confine::seccomp::decided_by(*rules_.seccomp, static_cast<std::uint32_t>(notified.data.nr))
          : std::nullopt;
  return event_of(call_body(notified.data), event::Verdict{.decision = Decision::Denied,
                                                           .layer = "seccomp",
                                                           .rule = rule_text(line ? &*line : nullptr),
                                                           .error = error,
                                                           .predicted = false});
}

std::vector<event::Event> Examiner::allowed(const seccomp_notif& notified, const Call& call) {
  if (call.operation == Operation::SendMessage) return to_messages(notified, call, 1);
  if (call.operation == Operation::SendMessages) return to_messages(notified, call, notified.data.args[2]);
  std::vector<event::Event> events;
  if (MaybeEvent event = to_one(notified, call)) events.push_back(std::move(*event));
  return events;
}

std::optional<event::Event> Examiner::to_one(const seccomp_notif& notified, const Call& call) {
  switch (call.operation) {
    case Operation::Connect:
    case Operation::Bind:
    case Operation::Send: return to_address(notified, call);
    case Operation::Listen:
    case Operation::Accept: return to_own_side(notified, call);
    case Operation::Pair: return to_pair(notified, call);
    case Operation::CreateMemory: return to_new_memory(notified, call);
    case Operation::ProtectCode: return to_mapped_code(notified, call);
    case Operation::Signal: return to_process(notified);
    case Operation::ChangeIds: return to_ids(notified, call);
    case Operation::ChangePowers: return to_powers(notified);
    default: return to_files(notified, call);
  }
}

std::optional<event::Event> Examiner::to_files(const seccomp_notif& notified, const Call& call) {
  const Caller caller = caller_of(notified);
  const seccomp_data data = with_flags(caller, notified.data);
  if (looks_at_descriptor(caller, data, call)) return std::nullopt;
  const Maps maps{places_, links_};
  NamedPlace first, second;
  if (call.operation != Operation::Symlink) first = read_place(maps, caller, data, call.first, last_of(data, call));
  if (call.second.is_there()) second = read_place(maps, caller, data, call.second, Last::Itself);
  const bool unreadable = first.kind == Kind::Unreadable || second.kind == Kind::Unreadable;
  std::optional<event::Verdict> verdict;
  if (!unreadable) {
    Prediction prediction = foresee({caller, host_, links_, sockets_}, data, call, first, second);
    if (prediction.decision != Decision::Allowed && is_given(caller, call, first)) prediction = {};
    if (!is_worth(rules_.files, wants_of(data, call), prediction.decision)) return std::nullopt;
    if (is_told_elsewhere(data, call, prediction.decision)) return std::nullopt;
    verdict = verdict_of(prediction);
  }
  if (call.operation == Operation::Symlink) first.requested = caller.text(data.args[call.first.path]).value_or("");
  event::Body body = body_of(data, call, first.named(), second.named());
  if (auto* const executed = std::get_if<event::ProcessExec>(&body)) add_arguments(*executed, caller, data);
  return about(std::move(body), std::move(verdict), first.place.path);
}

// No hook is asked where only the place of a file is wanted.
bool Examiner::is_told_elsewhere(const seccomp_data& data, const Call& call, Decision decision) const {
  if (decision != Decision::Allowed || share_of(rules_.traced, call) == Share::Nothing) return false;
  return call.operation != Operation::Open || !(open_flags(data, call) & O_PATH);
}

event::Event Examiner::about(event::Body body, std::optional<event::Verdict> verdict, const std::string& path) const {
  event::Event event = event_of(std::move(body), std::move(verdict));
  const bool is_absent = event.verdict && event.verdict->decision == Decision::Failed && event.verdict->error == ENOENT;
  event.expected = is_absent && is_expected(rules_.expect_absent, path);
  return event;
}

std::optional<event::Event> Examiner::ended(const trace::FileCall& told) {
  const Call* const call = find_call(told.number);
  if (call == nullptr) return std::nullopt;
  const seccomp_data data = registers_of(told);
  const Caller caller{told.pid, memory_};
  const Maps maps{places_, links_};
  NamedPlace first, second;
  if (call->operation == Operation::Symlink) first.requested = told.first.text;
  else first = place_told(maps, caller, told, told.first, call->first, last_of(data, *call));
  if (call->second.is_there()) second = place_told(maps, caller, told, told.second, call->second, Last::Itself);
  Prediction prediction;
  if (told.error != 0) {
    Prediction foreseen = foresee({caller, host_, links_, sockets_}, data, *call, first, second);
    if (foreseen.decision != Decision::Allowed && is_given(caller, *call, first)) foreseen = {};
    if (foreseen.decision == Decision::Denied && share_of(rules_.traced, *call) == Share::Allowed) return std::nullopt;
    prediction = come_about(foreseen, told.error);
  }
  if (!is_worth(rules_.files, wants_of(data, *call), prediction.decision)) return std::nullopt;
  event::Verdict verdict = verdict_of(prediction);
  verdict.predicted = false;
  event::Event event = about(body_of(data, *call, first.named(), second.named()), std::move(verdict), first.place.path);
  event.source = event::Source::Ebpf;
  event.pid = told.pid;
  event.jail_pid = told.jail_pid;
  event.mono_ns = told.mono_ns;
  return event;
}

// It was opened elsewhere, by rules of elsewhere: the plan foretells nothing of it, but of what opens it again. Memory
// that is a file has a mount of the kernel's own, whoever made it.
bool Examiner::is_given(const Caller& caller, const Call& call, const NamedPlace& place) {
  using enum Operation;
  const bool as_it_is = call.operation == Look || call.operation == Metadata || call.operation == Truncate ||
                        call.operation == MapCode;
  if (place.descriptor < 0 || !as_it_is || place.place.path.starts_with("/memfd:")) return false;
  const std::string mount = caller.mount_of(place.descriptor);
  return !mount.empty() && !own_.has(mount);
}

std::optional<event::Event> Examiner::to_new_memory(const seccomp_notif& notified, const Call& call) const {
  const std::optional<std::string> name = caller_of(notified).text(notified.data.args[call.first.path]);
  const event::Named named{.path = name ? "/memfd:" + *name : "", .unknown = !name};
  return event_of(body_of(notified.data, call, named, {}), name ? std::optional(verdict_of({})) : std::nullopt);
}

// Memory of no file is not worth a word: it is what a compiler makes code in.
std::optional<event::Event> Examiner::to_mapped_code(const seccomp_notif& notified, const Call& call) {
  const Caller caller = caller_of(notified);
  const std::string path = caller.file_at(notified.data.args[0]);
  if (path.empty()) return std::nullopt;
  const Prediction prediction = predict_one({caller, host_, links_, sockets_}, place_of(places_, caller, path), kMap);
  if (!is_worth(rules_.files, kMap, prediction.decision)) return std::nullopt;
  return event_of(body_of(notified.data, call, {.path = path}, {}), verdict_of(prediction));
}

std::optional<event::Event> Examiner::to_own_side(const seccomp_notif& notified, const Call& call) const {
  event::Peer own = own_side(caller_of(notified), static_cast<int>(notified.data.args[call.first.folder]));
  return event_of(net_body(call.operation, call.number, std::move(own)), verdict_of({}));
}

std::optional<event::Event> Examiner::to_pair(const seccomp_notif& notified, const Call& call) const {
  const auto family = static_cast<std::uint16_t>(notified.data.args[0]);
  return event_of(net_body(call.operation, call.number, {.family = family}), verdict_of({}));
}

// A number that the jail has not is nobody's to its processes, whoever has it outside.
std::optional<event::Event> Examiner::to_process(const seccomp_notif& notified) const {
  const auto wanted = static_cast<std::int32_t>(notified.data.args[0]);
  if (wanted <= 0) return std::nullopt;  // a group, or all: of the jail's own
  const std::string number = std::to_string(wanted);
  Prediction prediction{.decision = Decision::Failed, .error = ESRCH};
  if (wanted == 1) prediction = to_init(rules_.signals);
  else if (caller_of(notified).sees_process(number)) return std::nullopt;
  else if (::access(("/proc/" + number).c_str(), F_OK) == 0) prediction = refused_by("permission", ESRCH);
  if (!is_worth(rules_.files, kWrite, prediction.decision)) return std::nullopt;
  return event_of(call_body(notified.data, "signal"), verdict_of(prediction));
}

std::optional<event::Event> Examiner::judge(const Caller& caller, const Call& call, Address address) {
  MaybeEvent event = foretell(caller, call, std::move(address));
  const bool is_told = event && (!event->verdict || is_worth_telling(event->verdict->decision));
  return is_told ? std::move(event) : std::nullopt;
}

bool Examiner::is_worth_telling(Decision of_a_connection) const {
  return is_worth(rules_.addresses.value_or(rules_.files), kWrite, of_a_connection);
}

bool Examiner::is_worth_telling_made(Decision of_a_connection) const {
  return is_worth(rules_.addresses ? profile::MonitorFiles::All : rules_.files, kWrite, of_a_connection);
}

std::optional<event::Event> Examiner::foretell(const Caller& caller, const Call& call, Address address) {
  if (address.peer.unknown) return event_of(net_body(call.operation, call.number, address.peer), std::nullopt);
  if (address.reach == Reach::Nobody && !address.peer.family) return std::nullopt;  // no address at all
  const Asker asker{caller, host_, links_, sockets_};
  Prediction prediction;
  if (call.operation != Operation::Bind)
    prediction = predict_address(rules_, places_, asker, call.operation, address);
  else if (address.reach == Reach::Path)
    prediction = predict_one(asker, place_of(places_, caller, address.peer.path), kCreate);
  event::Event event = event_of(net_body(call.operation, call.number, address.peer), verdict_of(prediction));
  const bool goes_on = call.operation != Operation::Bind && prediction.decision == Decision::Allowed;
  if (goes_on && is_to_a_door(rules_, address)) ways_out_.push_back(event);
  return event;
}

std::optional<event::Event> Examiner::to_address(const seccomp_notif& notified, const Call& call) {
  const Caller caller = caller_of(notified);
  const std::uint64_t address = notified.data.args[call.first.path];
  return judge(caller, call, read_address(caller, address, notified.data.args[call.second.path]));
}

// Abstract names are the jail's own only where its network is.
Connection Examiner::connection_to(const Caller& caller, const Address& address) {
  const auto refused = [](int error) { return Connection{.error = error}; };
  if (address.peer.unknown) return refused(EFAULT);
  if (address.reach == Reach::Abstract && rules_.net == Rules::Net::Hosts) return refused(EPERM);
  if (address.reach != Reach::Path) return {.to = Connection::To::Address};
  const Place place = place_of(places_, caller, address.peer.path);
  if (is_granted_socket(place)) return {.to = Connection::To::Granted, .path = place.path};
  if (place.own == Own::Temporary) return {.to = Connection::To::Jails, .path = place.path};
  const int error = predict_one({caller, host_, links_, sockets_}, place, kLook).error;
  return refused(error != 0 ? error : EACCES);
}

// Once read, for what is done and for what is said.
Examiner::Wanted Examiner::wanted(const seccomp_notif& notified, const Call& call) {
  const Caller caller = caller_of(notified);
  const std::uint64_t length = notified.data.args[call.second.path];
  auto bytes = address_bytes(caller, notified.data.args[call.first.path], length);
  const Address address = decoded(bytes);
  Wanted wanted{connection_to(caller, address), foretell(caller, call, address)};
  if (static_cast<std::uint32_t>(length) > kMostOfAnAddress) wanted.connection = {.error = EINVAL};
  if (bytes) wanted.connection.address = std::move(*bytes);
  const bool is_answered = wanted.connection.to == Connection::To::Nothing;
  if (is_answered && wanted.event && wanted.event->verdict) wanted.event->verdict->predicted = false;
  return wanted;
}

// One for each peer that is worth it: all that is told of a peer is where it is.
std::vector<event::Event> Examiner::to_messages(const seccomp_notif& notified, const Call& call, std::uint64_t count) {
  const Caller caller = caller_of(notified);
  std::vector<event::Event> events;
  for (Address& peer : read_peers(caller, notified.data.args[call.first.path], count))
    if (MaybeEvent event = judge(caller, call, std::move(peer))) events.push_back(std::move(*event));
  return events;
}

std::optional<event::Event> Examiner::to_ids(const seccomp_notif& notified, const Call& call) const {
  const bool of_user = call_name(call.number).find("uid") != std::string::npos;
  const std::uint32_t own = of_user ? rules_.uid : rules_.gid;
  bool others = false;
  for (int i = 0; i < call.flags; ++i) {
    const auto id = static_cast<std::uint32_t>(notified.data.args[i]);
    others = others || (id != own && id != ~std::uint32_t{0});
  }
  if (!others) return std::nullopt;
  // The one id of the jail's user namespace is its own: others cannot even be named (user_namespaces(7)).
  return event_of(call_body(notified.data), verdict_of(refused_by("permission", EINVAL)));
}

// A plugin has no capability and cannot get one: what asks for any is refused.
std::optional<event::Event> Examiner::to_powers(const seccomp_notif& notified) const {
  const seccomp_data& data = notified.data;
  bool asks = data.nr == SYS_prctl && (data.args[0] != PR_CAP_AMBIENT || data.args[1] == PR_CAP_AMBIENT_RAISE);
  if (data.nr == SYS_capset) {
    const auto wanted = caller_of(notified).value<std::array<std::uint32_t, 6>>(data.args[1]);
    asks = wanted && std::ranges::any_of(*wanted, [](std::uint32_t bits) { return bits != 0; });
  }
  if (!asks) return std::nullopt;
  return event_of(call_body(data, "setuid"), verdict_of(refused_by("permission", EPERM)));
}

}  // namespace jail::monitor
