#include "egress/plan.h"

#include <algorithm>

namespace jail::egress {
namespace {

using profile::Endpoint;
using profile::HostKind;

constexpr std::size_t kMostPorts = 64;

std::size_t count_ports(const Endpoint& endpoint) {
  std::size_t count = 0;
  for (const profile::PortRange& range : endpoint.ports)
    count += static_cast<std::size_t>(range.last - range.first) + 1;
  return count;
}

bool is_of_this_host(const Endpoint& endpoint) {
  const std::optional<Address> at = address_of(endpoint.host, 0);
  return at && is_loopback(*at);
}

// Empty: there can be a door.
std::string what_is_missing(const Endpoint& endpoint) {
  if (endpoint.ports.empty()) return "a door to every port is not part of this version: name the ports";
  if (count_ports(endpoint) > kMostPorts) return "more than 64 ports of one entry are not part of this version";
  return {};
}

std::string what_is_missing_outside(const Endpoint& endpoint) {
  if (endpoint.kind == HostKind::Name || endpoint.kind == HostKind::Wildcard)
    return "a way to hosts by name is not part of this version: name addresses";
  if (endpoint.kind == HostKind::Prefix && is_of_this_host(endpoint))
    return "a network of loopback addresses is not part of this version: name each address";
  return what_is_missing(endpoint);
}

bool is_same_socket(const Door& one, const Door& other) { return one.protocol == other.protocol && one.at == other.at; }

void add(const Door& door, std::vector<Door>& doors) {
  if (std::ranges::none_of(doors, [&](const Door& there) { return is_same_socket(there, door); }))
    doors.push_back(door);
}

void add_each_port(const Endpoint& endpoint, Address at, std::vector<Door>& doors) {
  for (const profile::PortRange& range : endpoint.ports)
    for (unsigned port = range.first; port <= range.last; ++port) {
      at.port = static_cast<std::uint16_t>(port);
      add({endpoint.protocol, at, endpoint.place}, doors);
    }
}

Address every_address_of(const Endpoint& endpoint) {
  return {.family = endpoint.host.find(':') == std::string::npos ? AF_INET : AF_INET6};
}

Door at_every_address(Door door) {
  door.at.bytes = {};
  return door;
}

// Two sockets cannot listen at a port of every address and of one.
void add_doors_of_this_host(const Plan& plan, std::vector<Door>& doors) {
  std::vector<Door> own;
  for (const Endpoint& rule : plan.rules)
    if (const auto at = address_of(rule.host, 0); at && is_of_this_host(rule)) add_each_port(rule, *at, own);
  for (const Door& door : own)
    if (std::ranges::none_of(doors, [&](const Door& wide) { return is_same_socket(wide, at_every_address(door)); }))
      add(door, doors);
}

}  // namespace

Plan plan(const profile::Network& network) {
  Plan plan;
  plan.rules = network.allow;
  const auto lacks = [&](const Endpoint& endpoint, std::string reason) {
    if (!reason.empty() && !plan.missing) plan.missing = {std::move(reason), endpoint.place};
    return plan.missing.has_value();
  };
  for (const Endpoint& rule : network.allow) {
    if (lacks(rule, what_is_missing_outside(rule))) return plan;
    if (is_of_this_host(rule)) continue;
    plan.reach = Plan::Reach::Abroad;
    add_each_port(rule, every_address_of(rule), plan.out);
  }
  add_doors_of_this_host(plan, plan.out);
  for (const Endpoint& listener : network.listen) {
    const bool is_udp = listener.protocol == profile::Protocol::Udp;
    if (lacks(listener, is_udp ? "listening for UDP is not part of this version" : what_is_missing(listener)))
      return plan;
    if (const auto at = address_of(listener.host, 0)) add_each_port(listener, *at, plan.in);
  }
  if (plan.out.size() + plan.in.size() > kMostDoors) {
    const std::vector<Endpoint>& last = network.listen.empty() ? network.allow : network.listen;
    (void)lacks(last.back(), "more than 128 ports in all are not part of this version");
  }
  return plan;
}

}  // namespace jail::egress
