#include "egress/plan.h"

#include <algorithm>

#include "egress/names.h"

namespace jail::egress {
namespace {

using profile::Endpoint;
using profile::HostKind;

constexpr std::size_t kMostPorts = 64;
constexpr const char* kPortOfResolver =
    "port 53 of a name or a network, beside hosts by name, is not part of this version: name the server's address";

std::size_t count_ports(const Endpoint& endpoint) {
  std::size_t count = 0;
  for (const profile::PortRange& range : endpoint.ports)
    count += static_cast<std::size_t>(range.last - range.first) + 1;
  return count;
}

// A network's own address is its first.
bool is_of_this_host(const Endpoint& endpoint) {
  const std::optional<Address> at = address_of(endpoint.host, 0);
  return at && is_loopback(*at);
}

bool is_name(const Endpoint& endpoint) {
  return endpoint.kind == HostKind::Name || endpoint.kind == HostKind::Wildcard;
}

bool is_whole(const Endpoint& network, const Address& at) {
  return network.prefix_length == static_cast<int>(octets(at).size() * 8);
}

// Empty: there can be a door.
std::string what_is_missing(const Endpoint& endpoint) {
  const bool is_udp = endpoint.protocol == profile::Protocol::Udp;
  if (endpoint.ports.empty() && is_udp) return "every port of UDP is not part of this version: name the ports";
  if (endpoint.ports.empty() && is_of_this_host(endpoint))
    return "every port of this host would leave the plugin none of its own, and is not part of this version: name them";
  if (count_ports(endpoint) > kMostPorts) return "more than 64 ports of one entry are not part of this version";
  return {};
}

bool has_every_port(const Endpoint& endpoint) { return endpoint.ports.empty(); }

bool is_same_socket(const Door& one, const Door& other) { return one.protocol == other.protocol && one.at == other.at; }

Door at_every_address(Door door) {
  door.at.bytes = {};
  return door;
}

bool is_among(const Door& door, const std::vector<Door>& doors) {
  return std::ranges::any_of(doors, [&](const Door& there) { return is_same_socket(there, door); });
}

void add(const Door& door, std::vector<Door>& doors) {
  if (!is_among(door, doors)) doors.push_back(door);
}

template <typename Each>
void for_each_port(const Endpoint& endpoint, const Each& each) {
  for (const profile::PortRange& range : endpoint.ports)
    for (unsigned port = range.first; port <= range.last; ++port) each(static_cast<std::uint16_t>(port));
}

// Where a door stands for a port of this line; nowhere: there can be none. Of this host each address has its own, of
// others and of networks, of which there are too many, one stands for all. A name may have addresses of both families.
std::vector<Address> places_of(const Endpoint& rule, std::uint16_t port, Plan::Resolver resolver) {
  const std::optional<Address> at = address_of(rule.host, port);
  const bool is_one = at && (rule.kind == HostKind::Address || is_whole(rule, *at));
  const bool is_resolvers = resolver == Plan::Resolver::Own && port == kDnsPort;
  if (is_one && (is_resolvers || is_loopback(*at))) return {*at};
  if (is_resolvers) return {};
  if (at) return {{.family = at->family, .bytes = {}, .port = port}};
  return {{.family = AF_INET, .bytes = {}, .port = port}, {.family = AF_INET6, .bytes = {}, .port = port}};
}

// Two sockets cannot listen at a port of every address and of one; but for that of the resolver, which is no door.
void leave_out_what_is_held(std::vector<Door>& doors) {
  std::erase_if(doors, [all = doors](const Door& door) {
    return !is_at_every_address(door) && is_among(at_every_address(door), all);
  });
}

class Planner {
 public:
  Plan plan(const profile::Network& network) {
    plan_.rules = network.allow;
    for (const Endpoint& rule : network.allow) {
      if (!is_of_this_host(rule)) plan_.reach = Plan::Reach::Abroad;
      if (is_name(rule)) plan_.resolver = Plan::Resolver::Own;
    }
    for (const Endpoint& rule : network.allow) lead_out(rule);
    if (std::ranges::any_of(network.allow, has_every_port)) add_door_of_all(network);
    leave_out_what_is_held(plan_.out);
    for (const Endpoint& listener : network.listen) lead_in(listener);
    if (plan_.out.size() + plan_.in.size() > kMostDoors)
      lack("more than 128 ports in all are not part of this version",
           (network.listen.empty() ? network.allow : network.listen).back().place);
    return std::move(plan_);
  }

 private:
  void lack(const std::string& reason, const profile::Place& place) {
    if (!reason.empty() && !plan_.missing) plan_.missing = {reason, place};
  }

  void lead_out(const Endpoint& rule) {
    lack(what_is_missing(rule), rule.place);
    if (plan_.missing) return;
    for_each_port(rule, [&](std::uint16_t port) {
      const std::vector<Address> places = places_of(rule, port, plan_.resolver);
      if (places.empty()) lack(kPortOfResolver, rule.place);
      for (const Address& at : places) add({rule.protocol, at, rule.place}, plan_.out);
    });
  }

  // The last port that nobody has named.
  void add_door_of_all(const profile::Network& network) {
    std::uint16_t port = 65'535;
    const auto is_taken = [&](const Door& door) { return door.at.port == port; };
    const auto is_named = [&](const Endpoint& one) { return !one.ports.empty() && has_port(one.ports, port); };
    while (std::ranges::any_of(plan_.out, is_taken) || std::ranges::any_of(network.listen, is_named)) --port;
    plan_.port_of_all = port;
    const auto asks = std::ranges::find_if(network.allow, has_every_port);
    for (const int family : {AF_INET, AF_INET6})
      add({profile::Protocol::Tcp, {.family = family, .bytes = {}, .port = port}, asks->place}, plan_.out);
  }

  void lead_in(const Endpoint& listener) {
    lack(what_is_missing(listener), listener.place);
    const std::optional<Address> host = address_of(listener.host, 0);
    if (plan_.missing || !host) return;
    for_each_port(listener, [&](std::uint16_t port) {
      Door door{listener.protocol, *host, listener.place};
      door.at.port = port;
      const Door inside{door.protocol, within(door), {}};
      if (is_among(inside, plan_.out) || is_among(at_every_address(inside), plan_.out))
        lack("the plugin cannot listen at a port where network.allow leads out: name another", listener.place);
      add(door, plan_.in);
    });
  }

  Plan plan_;
};

}  // namespace

bool is_at_every_address(const Door& door) noexcept { return door.at.bytes == decltype(door.at.bytes){}; }

Address within(const Door& in) { return *address_of(in.at.family == AF_INET ? "127.0.0.1" : "::1", in.at.port); }

Plan plan(const profile::Network& network) { return Planner().plan(network); }

}  // namespace jail::egress
