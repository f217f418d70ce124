#include "egress/names.h"

#include <algorithm>

namespace jail::egress {
namespace {

constexpr int kWholeIpv4 = 32;
constexpr int kWholeIpv6 = 128;

void append(std::vector<Rule>& rules, const std::vector<Rule>& more) {
  rules.insert(rules.end(), more.begin(), more.end());
}

}  // namespace

bool is_public(std::string_view name) noexcept {
  constexpr std::string_view kLocal[] = {".local", ".home.arpa", ".internal"};
  return name.find('.') != std::string_view::npos &&
         std::ranges::none_of(kLocal, [&](std::string_view zone) { return name.ends_with(zone); });
}

bool has_port(const std::vector<profile::PortRange>& ranges, std::uint16_t port) noexcept {
  return ranges.empty() || std::ranges::any_of(ranges, [&](const profile::PortRange& range) {
           return range.first <= port && port <= range.last;
         });
}

Names::Names(const std::vector<profile::Endpoint>& allow) {
  ports_.reserve(allow.size());
  exact_.reserve(allow.size());
  for (Rule rule = 0; rule < allow.size(); ++rule) add(allow[rule], rule);
}

void Names::add(const profile::Endpoint& endpoint, Rule rule) {
  using profile::HostKind;
  ports_.push_back({endpoint.protocol, endpoint.ports});
  if (endpoint.kind == HostKind::Name) return exact_[endpoint.host].push_back(rule);
  if (endpoint.kind == HostKind::Wildcard) return zones_[endpoint.host].push_back(rule);
  const auto address = address_of(endpoint.host, 0);
  if (!address) return;
  const int whole = address->family == AF_INET ? kWholeIpv4 : kWholeIpv6;
  prefixes_.push_back({*address, endpoint.kind == HostKind::Prefix ? endpoint.prefix_length : whole, rule});
}

Names::Match Names::permits(std::string_view name) const {
  Match match;
  if (const auto found = exact_.find(name); found != exact_.end()) append(match.rules, found->second);
  const bool is_listed = !match.rules.empty();
  for (auto dot = name.find('.'); dot != std::string_view::npos && dot > 0; dot = name.find('.', dot + 1)) {
    const auto found = zones_.find(name.substr(dot + 1));
    if (found == zones_.end()) continue;
    append(match.rules, found->second);
    if (!is_listed && match.zone.empty()) match.zone = found->first;
  }
  std::ranges::sort(match.rules);
  return match;
}

std::vector<Rule> Names::permits(std::string_view name, std::uint16_t tcp_port) const {
  std::vector<Rule> rules = permits(name).rules;
  std::erase_if(rules, [&](Rule rule) {
    return ports_[rule].protocol != profile::Protocol::Tcp || !has_port(ports_[rule].ranges, tcp_port);
  });
  return rules;
}

bool Names::permits(const Address& address) const noexcept {
  return std::ranges::any_of(prefixes_, [&](const Prefix& one) { return is_within(address, one.address, one.bits); });
}

std::optional<Rule> Names::find(const Address& address) const noexcept {
  const bool is_near = is_of_this_link(address);
  const auto has = [&](const Prefix& one) {
    return is_within(address, one.address, one.bits) && (!is_near || is_of_this_link(one.address, one.bits));
  };
  const auto found = std::ranges::find_if(prefixes_, has);
  return found == prefixes_.end() ? std::nullopt : std::optional(found->rule);
}

}  // namespace jail::egress
