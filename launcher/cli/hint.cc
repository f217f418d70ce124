#include "cli/hint.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/text.h"
#include "profile/emit.h"
#include "profile/endpoint.h"
#include "profile/paths.h"
#include "profile/validate.h"
#include "run/facts.h"

namespace jail::cli {
namespace {

// The jail's own: what a profile grants there is the host's, and another file.
constexpr const char* kOwn[] = {"/tmp", "/dev/shm"};

// Granted by name, these would give away what was denied of them for its arguments: families of sockets, data that goes
// out with a connection.
constexpr std::array<std::string_view, 5> kOfArguments{"socket", "socketpair", "sendto", "sendmsg", "sendmmsg"};

bool is_default(const std::string& rule) { return rule.empty() || rule == "default"; }

// Where nothing says otherwise; what is missing there may well be there for the host.
bool is_own(const std::string& path, const std::string& rule, int error) {
  const auto lies_in = [&](const char* folder) { return profile::is_within(path, folder); };
  return is_default(rule) && error != ENOENT && std::ranges::any_of(kOwn, lies_in);
}

profile::Access access_of(Grant grant) {
  switch (grant) {
    case Grant::Read: return profile::Access::Read;
    case Grant::Write: return profile::Access::Write;
    case Grant::Exec: return profile::Access::Exec;
  }
  return profile::Access::Read;
}

profile::Standing standing_of(Grant grant, const std::string& path) {
  static const profile::Facts facts = [] {
    run::Chains chains;
    return run::facts_of_operator(run::find_places(::geteuid()), {}, chains);
  }();
  return profile::standing_of({.access = access_of(grant), .path = path, .optional = false, .place = {}}, facts);
}

// Lines of templates that are built into jail are nobody's to change.
std::string where(const std::string& rule, const std::string& profile) {
  if (is_default(rule) || rule.starts_with('<')) return "add to profile " + text::for_people(profile);
  return "add to " + text::for_people(rule);
}

std::string brackets(std::string_view key, const std::string& item) {
  return std::string(key).append(": [").append(item).append("]");
}

bool asks_for(const event::FileOpen& opened, std::initializer_list<std::string_view> words) {
  return std::ranges::any_of(
      opened.access, [&](const std::string& access) { return std::ranges::find(words, access) != words.end(); });
}

bool asks_for_unix(const event::SyscallDenied& socket) {
  const auto is_unix = [](const auto& argument) { return argument.first == "arg0" && argument.second == AF_UNIX; };
  return std::ranges::any_of(socket.arguments, is_unix);
}

// What of a place that a line grants is still read: something there is hidden.
bool is_hidden(const event::Verdict& verdict, Grant grant) {
  return grant == Grant::Read && verdict.layer == "mount" && verdict.rule != "default" && !verdict.rule.empty();
}

class HintOf {
 public:
  HintOf(const event::Verdict& verdict, const std::string& profile) : verdict_(verdict), profile_(profile) {}

  std::string operator()(const event::FileOpen& opened) const {
    if (asks_for(opened, {"write", "append", "create", "truncate"})) return path(Grant::Write, opened.named);
    return path(asks_for(opened, {"execute"}) ? Grant::Exec : Grant::Read, opened.named);
  }
  std::string operator()(const event::FileCreate& created) const { return path(Grant::Write, created.named); }
  std::string operator()(const event::FileDelete& deleted) const { return path(Grant::Write, deleted.named); }
  std::string operator()(const event::FileMetadata& changed) const { return path(Grant::Write, changed.named); }
  std::string operator()(const event::ProcessExec& executed) const { return path(Grant::Exec, executed.named); }
  std::string operator()(const event::NetConnect& net) const {
    const bool names_nobody = !net.reason.empty() && net.peer.host.empty();
    return names_nobody ? unchecked() : peer(net.peer, profile::Protocol::Tcp);
  }
  std::string operator()(const event::NetSend& net) const { return peer(net.peer, profile::Protocol::Udp); }
  std::string operator()(const event::NetDns& dns) const {
    const profile::EndpointReading name = profile::parse_endpoint("tcp://" + dns.name + ":*");
    if (verdict_.rule != "default" || !name.problem.empty()) return {};
    return hint_for_endpoint(name.endpoint, verdict_.rule, profile_);
  }
  std::string operator()(const event::SyscallDenied& denied) const {
    if (denied.call.empty() || !denied.abi.empty()) return {};
    if (denied.call == "socket" && asks_for_unix(denied)) return unix_socket("PATH");
    return hint_for_syscall(denied.call, verdict_.rule, profile_);
  }
  template <typename Body>
  std::string operator()(const Body&) const {
    return {};
  }

 private:
  std::string path(Grant grant, const event::Named& named) const {
    if (named.unknown || named.path.empty() || verdict_.layer == "permission") return {};
    if (is_hidden(verdict_, grant)) return "hidden by " + text::for_people(verdict_.rule) + ": take it out of hide";
    return hint_for_path(grant, named.path, verdict_.rule, verdict_.error, profile_);
  }

  std::string peer(const event::Peer& peer, profile::Protocol protocol) const {
    if (peer.path.starts_with('/')) return unix_socket(profile::emit_path(peer.path));
    if (peer.address.empty() || peer.port.value_or(0) == 0) return {};
    profile::Endpoint endpoint = profile::parse_endpoint("tcp://" + peer.host + ":1").endpoint;
    if (endpoint.host.empty()) endpoint.host = peer.address, endpoint.kind = profile::HostKind::Address;
    endpoint.protocol = protocol;
    endpoint.ports = {{*peer.port, *peer.port}};
    return hint_for_endpoint(endpoint, verdict_.rule, profile_);
  }

  std::string unchecked() const {
    return "as {to: ..., sni: off} " + text::for_people(verdict_.rule) + " passes it, to whoever shares the address";
  }

  std::string unix_socket(const std::string& item) const {
    return where(verdict_.rule, profile_) + ", network: " + brackets("unix", item);
  }

  const event::Verdict& verdict_;
  const std::string& profile_;
};

}  // namespace

std::string hint_for_path(Grant grant, const std::string& path, const std::string& rule, int error,
                          const std::string& profile) {
  const profile::Standing standing = standing_of(grant, path);
  if (standing == profile::Standing::Refused || is_own(path, rule, error)) return {};
  const std::string plain = profile::emit_path(path);
  const bool is_dangerous = standing == profile::Standing::Dangerous;
  const std::string item = is_dangerous ? "{path: " + plain + ", dangerous: true}" : plain;
  const std::string_view key = grant == Grant::Read ? "read" : grant == Grant::Write ? "write" : "exec";
  return where(rule, profile) + ", filesystem: " + brackets(key, item);
}

std::string hint_for_endpoint(const profile::Endpoint& endpoint, const std::string& rule, const std::string& profile) {
  std::string text = profile::to_string(endpoint);
  if (endpoint.ports.empty()) text.replace(text.size() - 1, 1, "PORT");
  return where(rule, profile) +
         ", network: " + brackets("allow", text.find('[') == std::string::npos ? text : '"' + text + '"');
}

std::string hint_for_syscall(const std::string& call, const std::string& rule, const std::string& profile) {
  if (std::ranges::find(kOfArguments, call) != kOfArguments.end()) return {};
  return where(rule, profile) + ", syscalls: " + brackets("allow", text::for_people(call));
}

std::string hint_for(const event::Record& record) {
  if (!record.event.verdict || record.event.verdict->decision != event::Decision::Denied) return {};
  return std::visit(HintOf(*record.event.verdict, record.stamp.profile), record.event.body);
}

}  // namespace jail::cli
