#include "egress/decide.h"

#include <algorithm>
#include <cerrno>

#include "egress/names.h"
#include "profile/endpoint.h"

namespace jail::egress {
namespace {

using profile::Endpoint;
using profile::HostKind;

bool has_port(const Endpoint& rule, const Endpoint& asked) {
  return asked.ports.empty() || egress::has_port(rule.ports, asked.ports.front().first);
}

// Any port of the rule's will do where none was asked for.
std::vector<Rule> rules_of_address(const Plan& plan, const Endpoint& asked, const Policy::IsOwn& is_own) {
  std::vector<Rule> rules;
  const Policy policy(plan.rules, is_own);
  for (Rule rule = 0; rule < plan.rules.size(); ++rule) {
    const Endpoint& one = plan.rules[rule];
    const std::uint16_t port = one.ports.empty() ? std::uint16_t{1} : one.ports.front().first;
    const auto to = address_of(asked.host, port);
    if (to && policy.permits(one.protocol, *to, 0) == rule) rules.push_back(rule);
  }
  return rules;
}

std::string with_protocols(const Plan& plan, const std::vector<Rule>& rules) {
  std::string all;
  for (const Rule rule : rules) all.append(all.empty() ? "" : ", ").append(profile::to_string(plan.rules[rule]));
  return all;
}

bool has_door(const Plan& plan, const Endpoint& asked, const Address& to) {
  return std::ranges::any_of(plan.out, [&](const Door& door) {
    return door.at.family == to.family && door.protocol == asked.protocol && door.at.port == to.port &&
           is_at_every_address(door);
  });
}

// Beyond its own loopback the kernel's wall refuses what no line permits (ruleset.h). It does not know which addresses
// are this host's: where a network holds them the relay takes the connection, and resets it.
int error_at(const Plan& plan, const Endpoint& asked, std::optional<Address> to) {
  if (to && !asked.ports.empty()) to->port = asked.ports.front().first;
  if (plan.reach == Plan::Reach::Loopback && to && !is_loopback(*to)) return ENETUNREACH;
  if (plan.reach == Plan::Reach::Loopback) return to && has_door(plan, asked, *to) ? ECONNRESET : ECONNREFUSED;
  const Policy anywhere(plan.rules, [](const Address&) { return false; });
  if (to && anywhere.permits(asked.protocol, *to, 0)) return ECONNRESET;
  if (to && is_loopback(*to) && !has_door(plan, asked, *to)) return ECONNREFUSED;
  return asked.protocol == profile::Protocol::Tcp ? ECONNREFUSED : EPERM;
}

}  // namespace

Decision decide(const Plan& plan, const Endpoint& asked, const Policy::IsOwn& is_own) {
  const bool is_name = asked.kind == HostKind::Name;
  const std::vector<Rule> rules =
      is_name ? Names(plan.rules).permits(asked.host).rules : rules_of_address(plan, asked, is_own);
  for (const Rule rule : rules) {
    const Endpoint& one = plan.rules[rule];
    if (one.protocol == asked.protocol && has_port(one, asked))
      return {one.place, 0, "network.allow: " + profile::to_string(one)};
  }
  Decision denied{.rule = {}, .error = 0, .reason = "no line names it"};
  if (!rules.empty()) denied.reason = "the host is named, but otherwise: " + with_protocols(plan, rules);
  if (!is_name) denied.error = error_at(plan, asked, address_of(asked.host, 0));
  else if (!rules.empty()) denied.error = error_at(plan, asked, std::nullopt);
  return denied;
}

}  // namespace jail::egress
