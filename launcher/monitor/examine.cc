#include "monitor/examine.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/sched.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "monitor/arguments.h"
#include "monitor/file_attempt.h"
#include "monitor/host_files.h"
#include "monitor/peer.h"
#include "profile/paths.h"

namespace jail::monitor {
namespace {

using event::Decision;
using Kind = NamedPlace::Kind;

constexpr std::string_view kDefault = "default";

std::string rule_text(const profile::Place* place) {
  return place == nullptr ? std::string(kDefault) : profile::to_string({place->file, place->line, 0});
}

event::Verdict verdict_of(const Prediction& prediction) {
  event::Verdict verdict{.decision = prediction.decision, .error = prediction.error, .predicted = true};
  if (prediction.decision != Decision::Denied) return verdict;
  verdict.layer = prediction.layer;
  verdict.rule = rule_text(prediction.rule);
  return verdict;
}

// Who asks, the host's mounts, for whether it has what is asked for, and the jail's sockets.
struct Asker {
  const Caller& caller;
  Mounts& host;
  sys::SocketDiag& sockets;
};

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
  if (files == profile::MonitorFiles::All) return (wants & ~kLook) != 0;
  const unsigned changes = kWrite | kCreate | kDelete | kExecute;
  return files == profile::MonitorFiles::Changes && decision == Decision::Allowed && (wants & changes) != 0;
}

std::string call_name(std::uint32_t number) { return std::string(confine::seccomp::name_of(number).value_or("")); }

// --- Files -----------------------------------------------------------------------------------------------------------

constexpr std::uint64_t kCreatFlags = O_CREAT | O_WRONLY | O_TRUNC;

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
    case Operation::MapCode: return kMap;
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
    case Operation::Truncate: return event::FileOpen{name, first, {"truncate"}};
    case Operation::Execute: return event::ProcessExec{name, first, {}, {}};
    case Operation::MapCode: return event::FileOpen{name, first, {"execute"}};
    default: return event::FileOpen{name, first, {"stat"}};
  }
}

Prediction predict_one(const Asker& asker, const Place& place, unsigned wants) {
  Prediction prediction = predict(place, wants);
  ask_host(prediction, asker.caller, place, asker.host);
  return prediction;
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
  if (one) return predict_one(asker, decisive.place, wants);
  return predict_both(asker, first.place, row.operation == Operation::Link ? unsigned{kLook} : wants, second.place);
}

void add_arguments(event::ProcessExec& executed, const Caller& caller, const seccomp_data& call) {
  Arguments arguments = read_arguments(caller, call);
  executed.argv = std::move(arguments.texts);
  executed.argv_cut = arguments.cut;
}

// --- Sockets ---------------------------------------------------------------------------------------------------------

constexpr std::size_t kMostOfAnAddress = 128;  // sizeof(sockaddr_storage)

// None: it cannot be read.
std::optional<std::vector<std::byte>> address_bytes(const Caller& caller, std::uint64_t address, std::uint64_t length) {
  std::vector<std::byte> bytes(std::min<std::size_t>(static_cast<std::uint32_t>(length), kMostOfAnAddress));
  return caller.bytes(address, bytes) ? std::optional(std::move(bytes)) : std::nullopt;
}

Address decoded(const std::optional<std::vector<std::byte>>& bytes) {
  if (bytes) return decode_address(*bytes);
  Address unknown;
  unknown.peer.unknown = true;
  return unknown;
}

Address read_address(const Caller& caller, std::uint64_t address, std::uint64_t length) {
  return decoded(address_bytes(caller, address, length));
}

Prediction refused_by(std::string_view layer, int error) { return {Decision::Denied, layer, error}; }

Place place_of(const Places& places, const Caller& caller, const std::string& path) {
  const std::string base = path.starts_with('/') ? "" : caller.current_folder() + "/";
  return places.find(base + path, [&caller](std::string_view name) { return caller.link(name); });
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

Prediction predict_address(const Rules& rules, const Places& places, const Asker& asker, Address& address) {
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
  if (address.reach == Reach::Abroad) return refused_by("network", ENETUNREACH);
  if (address.reach == Reach::Loopback && !has_listener(asker, address.peer.port.value_or(0)))
    return refused_by("network", ECONNREFUSED);
  if (address.reach == Reach::Abstract && !caller.has_abstract_listener(address.peer.path.substr(1)))
    return refused_by("network", ECONNREFUSED);
  return {};
}

event::Body net_body(Operation operation, std::uint32_t number, event::Peer peer) {
  std::string name = call_name(number);
  if (operation == Operation::Connect) return event::NetConnect{name, std::move(peer)};
  if (operation == Operation::Bind) return event::NetListen{name, std::move(peer)};
  return event::NetSend{name, std::move(peer)};
}

// What is said of a message by a pointer: msghdr(3), of which sendmmsg(2) takes several.
struct MessageName {
  std::uint64_t address = 0;
  std::uint32_t length = 0;
};
constexpr std::uint64_t kSizeOfMmsghdr = 64;
constexpr std::uint64_t kMostMessages = 64;  // of one call; the kernel takes 1024

// --- What the filter says --------------------------------------------------------------------------------------------

constexpr std::uint64_t kNewTime = 0x80;
constexpr std::uint64_t kNamespaces = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |
                                      CLONE_NEWPID | CLONE_NEWNET | kNewTime;

// Today's C library tries clone3(2) for every thread and process, and falls back.
bool is_ordinary_clone3(const seccomp_notif& notified, const Caller& caller) {
  if (notified.data.nr != SYS_clone3 || notified.data.arch != AUDIT_ARCH_X86_64) return false;
  const auto flags = caller.value<std::uint64_t>(notified.data.args[0]);
  return flags && (*flags & kNamespaces) == 0;
}

event::Counts plain_numbers(const seccomp_data& call, std::uint8_t which) {
  event::Counts numbers;
  for (unsigned argument = 0; argument < 6; ++argument)
    if (which & (1U << argument))
      numbers.emplace_back("arg" + std::to_string(argument), static_cast<std::uint32_t>(call.args[argument]));
  return numbers;
}

struct Called {
  std::uint32_t number;
  std::string_view abi;
  std::string name;
  const Privilege* privilege;
};

Called called(const seccomp_data& call) {
  const auto number = static_cast<std::uint32_t>(call.nr);
  if (call.arch != AUDIT_ARCH_X86_64) {
    const Privilege* const privilege = find_i386_privilege(number);
    return {number, "i386", privilege == nullptr ? "" : std::string(privilege->call), privilege};
  }
  const std::uint32_t plain = number & ~confine::seccomp::kX32Bit;
  std::string name = call_name(plain);
  const Privilege* const privilege = find_privilege(name);
  return {number, plain == number ? "" : "x32", std::move(name), privilege};
}

// `privilege`: what it asks for where the call alone does not say so.
event::Body call_body(const seccomp_data& data, std::string_view privilege = {}) {
  const Called call = called(data);
  if (call.privilege != nullptr && privilege.empty()) privilege = call.privilege->privilege;
  event::Counts numbers = plain_numbers(data, call.privilege == nullptr ? std::uint8_t{0} : call.privilege->numbers);
  if (!privilege.empty())
    return event::PrivilegeAttempt{std::string(privilege), call.name, call.number, std::string(call.abi),
                                   std::move(numbers)};
  return event::SyscallDenied{call.name, call.number, std::string(call.abi), std::move(numbers)};
}

event::Event event_of(event::Body body, std::optional<event::Verdict> verdict) {
  event::Event event{.body = std::move(body), .source = event::Source::Notify};
  event.verdict = std::move(verdict);
  return event;
}

}  // namespace

void Examiner::look_into(Fd root, const std::string& mount_table) {
  Mounts mounts(mount_table);
  memory_ = mounts.any_may_hang() ? Memory::Resident : Memory::Any;
  links_ = Links(std::move(root), std::move(mounts));
}

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

std::optional<event::Event> Examiner::allowed(const seccomp_notif& notified, const Call& call) {
  switch (call.operation) {
    case Operation::Connect:
    case Operation::Bind:
    case Operation::Send: return to_address(notified, call);
    case Operation::SendMessage: return to_messages(notified, call, 1);
    case Operation::SendMessages: return to_messages(notified, call, notified.data.args[2]);
    case Operation::ChangeIds: return to_ids(notified, call);
    case Operation::ChangePowers: return to_powers(notified);
    default: return to_files(notified, call);
  }
}

std::optional<event::Event> Examiner::to_files(const seccomp_notif& notified, const Call& call) {
  const Caller caller = caller_of(notified);
  const seccomp_data& data = notified.data;
  const Maps maps{places_, links_};
  NamedPlace first, second;
  if (call.operation != Operation::Symlink) first = read_place(maps, caller, data, call.first, last_of(data, call));
  if (call.second.is_there()) second = read_place(maps, caller, data, call.second, Last::Itself);
  const bool unreadable = first.kind == Kind::Unreadable || second.kind == Kind::Unreadable;
  std::optional<event::Verdict> verdict;
  if (!unreadable) {
    const Prediction prediction = foresee({caller, host_, sockets_}, data, call, first, second);
    if (!is_worth(rules_.files, wants_of(data, call), prediction.decision)) return std::nullopt;
    verdict = verdict_of(prediction);
  }
  if (call.operation == Operation::Symlink) first.requested = caller.text(data.args[call.first.path]).value_or("");
  event::Body body = body_of(data, call, first.named(), second.named());
  if (auto* const executed = std::get_if<event::ProcessExec>(&body)) add_arguments(*executed, caller, data);
  return event_of(std::move(body), std::move(verdict));
}

std::optional<event::Event> Examiner::judge(const Caller& caller, const Call& call, Address address) {
  if (address.peer.unknown) return event_of(net_body(call.operation, call.number, address.peer), std::nullopt);
  if (address.reach == Reach::Nobody) return std::nullopt;
  const Asker asker{caller, host_, sockets_};
  Prediction prediction;
  if (call.operation != Operation::Bind) prediction = predict_address(rules_, places_, asker, address);
  else if (address.reach == Reach::Path)
    prediction = predict_one(asker, place_of(places_, caller, address.peer.path), kCreate);
  if (!is_worth(rules_.addresses.value_or(rules_.files), kWrite, prediction.decision)) return std::nullopt;
  return event_of(net_body(call.operation, call.number, address.peer), verdict_of(prediction));
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
  const int error = predict_one({caller, host_, sockets_}, place, kLook).error;
  return refused(error != 0 ? error : EACCES);
}

// Once read, for what is done and for what is said.
Examiner::Wanted Examiner::wanted(const seccomp_notif& notified, const Call& call) {
  const Caller caller = caller_of(notified);
  const std::uint64_t length = notified.data.args[call.second.path];
  auto bytes = address_bytes(caller, notified.data.args[call.first.path], length);
  const Address address = decoded(bytes);
  Wanted wanted{connection_to(caller, address), judge(caller, call, address)};
  if (static_cast<std::uint32_t>(length) > kMostOfAnAddress) wanted.connection = {.error = EINVAL};
  if (bytes) wanted.connection.address = std::move(*bytes);
  const bool is_answered = wanted.connection.to == Connection::To::Nothing;
  if (is_answered && wanted.event && wanted.event->verdict) wanted.event->verdict->predicted = false;
  return wanted;
}

// The first of them that is worth a record; a call sends to one peer or to several.
std::optional<event::Event> Examiner::to_messages(const seccomp_notif& notified, const Call& call,
                                                  std::uint64_t count) {
  const Caller caller = caller_of(notified);
  const auto unknown = [&] {
    return event_of(net_body(call.operation, call.number, event::Peer{.unknown = true}), std::nullopt);
  };
  count = static_cast<std::uint32_t>(count);
  for (std::uint64_t i = 0; i < std::min(count, kMostMessages); ++i) {
    const auto name = caller.value<MessageName>(notified.data.args[call.first.path] + i * kSizeOfMmsghdr);
    if (!name) return i == 0 ? std::optional(unknown()) : std::nullopt;  // the kernel stops there, too
    if (name->address == 0) continue;
    auto event = judge(caller, call, read_address(caller, name->address, name->length));
    if (event) return event;
  }
  return count > kMostMessages ? std::optional(unknown()) : std::nullopt;
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
