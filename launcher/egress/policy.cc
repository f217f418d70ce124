#include "egress/policy.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace jail::egress {
namespace {

using profile::Endpoint;
using profile::HostKind;

constexpr std::uint64_t kNsPerSecond = 1'000'000'000;
// A connection may begin a while after its name was asked for; and a resolver of the plugin's may keep answers longer.
constexpr std::uint32_t kGraceSeconds = 60;
constexpr std::uint32_t kMostSeconds = 86'400;

bool has_port(const Endpoint& endpoint, std::uint16_t port) {
  return endpoint.ports.empty() || std::ranges::any_of(endpoint.ports, [&](const profile::PortRange& range) {
           return range.first <= port && port <= range.last;
         });
}

bool is_fixed(const Endpoint& endpoint) {
  return endpoint.kind == HostKind::Address || endpoint.kind == HostKind::Prefix;
}

Address without_port(Address address) {
  address.port = 0;
  return address;
}

}  // namespace

std::size_t Policy::Hash::operator()(const Address& address) const noexcept {
  std::array<std::uint64_t, 2> halves{};
  std::memcpy(halves.data(), address.bytes.data(), sizeof halves);
  constexpr std::uint64_t kOdd = 0x9e3779b97f4a7c15;
  return static_cast<std::size_t>((halves[0] ^ (halves[1] * kOdd)) * kOdd);
}

Policy::Policy(std::vector<Endpoint> rules, std::vector<Address> own) : rules_(std::move(rules)), own_(std::move(own)) {
  for (std::uint32_t i = 0; i < rules_.size(); ++i) {
    if (!is_fixed(rules_[i])) continue;
    const bool is_network = rules_[i].kind == HostKind::Prefix;
    if (const auto at = address_of(rules_[i].host, 0))
      fixed_.push_back({i, *at, is_network ? std::optional(rules_[i].prefix_length) : std::nullopt});
  }
}

bool Policy::is_near(const Address& to) const {
  return is_of_this_link(to) || std::ranges::find(own_, to) != own_.end();
}

// A network covers what is near only where it lies there itself.
bool Policy::covers(const Fixed& fixed, const Address& to) const {
  if (!fixed.bits) return fixed.at == to;
  const bool lies_near = *fixed.bits != 0 && is_of_this_link(fixed.at);
  return (lies_near || !is_near(to)) && is_within(to, fixed.at, *fixed.bits);
}

std::optional<std::uint32_t> Policy::permits(profile::Protocol protocol, const Address& to,
                                             std::uint64_t now_ns) const {
  const auto fits = [&](std::uint32_t rule) {
    return rules_[rule].protocol == protocol && has_port(rules_[rule], to.port);
  };
  const Address host = without_port(to);
  for (const Fixed& fixed : fixed_)
    if (fits(fixed.rule) && covers(fixed, host)) return fixed.rule;
  const auto found = opened_.find(host);
  if (found == opened_.end()) return std::nullopt;
  for (const Opened& opened : found->second)
    if (opened.until_ns > now_ns && fits(opened.rule)) return opened.rule;
  return std::nullopt;
}

bool Policy::open(std::uint32_t rule, const Address& to, std::uint32_t ttl_s, std::uint64_t now_ns) {
  if (rule >= rules_.size() || is_fixed(rules_[rule])) return false;
  const Address host = without_port(to);
  const bool is_granted = std::ranges::any_of(fixed_, [&](const Fixed& fixed) { return covers(fixed, host); });
  if ((is_near(host) || is_private(host)) && !is_granted) return false;
  const std::uint64_t until = now_ns + (std::min(ttl_s, kMostSeconds) + kGraceSeconds) * kNsPerSecond;
  std::vector<Opened>& there = opened_[host];
  const auto same = std::ranges::find(there, rule, &Opened::rule);
  if (same != there.end()) return same->until_ns = std::max(same->until_ns, until), true;
  if (count_ >= kMostOpened) forget_old(now_ns);
  if (count_ >= kMostOpened) return false;
  opened_[host].push_back({rule, until});
  ++count_;
  return true;
}

void Policy::forget_old(std::uint64_t now_ns) {
  count_ = 0;
  for (auto one = opened_.begin(); one != opened_.end();) {
    std::erase_if(one->second, [&](const Opened& opened) { return opened.until_ns <= now_ns; });
    count_ += one->second.size();
    one = one->second.empty() ? opened_.erase(one) : std::next(one);
  }
}

}  // namespace jail::egress
