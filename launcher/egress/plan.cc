#include "egress/plan.h"

#include <algorithm>

namespace jail::egress {
namespace {

using profile::Endpoint;
using profile::HostKind;

std::size_t count_ports(const Endpoint& endpoint) {
  std::size_t count = 0;
  for (const profile::PortRange& range : endpoint.ports)
    count += static_cast<std::size_t>(range.last - range.first) + 1;
  return count;
}

void add(const Endpoint& endpoint, std::vector<Door>& doors) {
  for (const profile::PortRange& range : endpoint.ports)
    for (unsigned port = range.first; port <= range.last; ++port)
      if (const auto at = address_of(endpoint.host, static_cast<std::uint16_t>(port));
          at && std::ranges::find(doors, *at, &Door::at) == doors.end())
        doors.push_back({*at, endpoint.place});
}

// Empty: there can be a door.
std::string what_is_missing(const Endpoint& endpoint) {
  if (endpoint.protocol == profile::Protocol::Udp) return "relaying UDP is not part of this version";
  if (endpoint.ports.empty()) return "a door to every port is not part of this version: name the ports";
  if (count_ports(endpoint) > kMostDoors) return "more than 64 ports are not part of this version";
  return {};
}

std::string what_is_missing_outside(const Endpoint& endpoint) {
  const std::optional<Address> at = address_of(endpoint.host, 0);
  if (endpoint.kind != HostKind::Address || !at || !is_loopback(*at))
    return "a way to other hosts is not part of this version, but to ports of this host's loopback";
  return what_is_missing(endpoint);
}

}  // namespace

Plan plan(const profile::Network& network) {
  Plan plan;
  const auto take = [&](const Endpoint& endpoint, std::string reason, std::vector<Door>& doors) {
    if (reason.empty()) add(endpoint, doors);
    if (reason.empty() && plan.out.size() + plan.in.size() > kMostDoors) reason = "more than 64 ports in all";
    if (!reason.empty() && !plan.missing) plan.missing = {std::move(reason), endpoint.place};
  };
  for (const Endpoint& endpoint : network.allow) take(endpoint, what_is_missing_outside(endpoint), plan.out);
  for (const Endpoint& endpoint : network.listen) take(endpoint, what_is_missing(endpoint), plan.in);
  return plan;
}

}  // namespace jail::egress
