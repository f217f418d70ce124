#include "egress/policy.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "egress/names.h"

namespace jail::egress {
namespace {

using profile::Endpoint;
using profile::HostKind;

constexpr std::uint64_t kNsPerSecond = 1'000'000'000;

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

Policy::Policy(std::span<const Endpoint> rules, IsOwn is_own) : rules_(rules), is_own_(std::move(is_own)) {
  for (std::uint32_t i = 0; i < rules_.size(); ++i) {
    if (!is_fixed(rules_[i])) continue;
    const bool is_network = rules_[i].kind == HostKind::Prefix;
    if (const auto at = address_of(rules_[i].host, 0))
      fixed_.push_back({i, *at, is_network ? std::optional(rules_[i].prefix_length) : std::nullopt});
  }
}

bool Policy::is_near(const Address& to) const { return is_of_this_link(to) || is_own_(to); }

// A network covers what is near only where it lies there itself.
bool Policy::covers(const Fixed& fixed, const Address& to) const {
  if (!fixed.bits) return fixed.at == to;
  const bool lies_near = is_of_this_link(fixed.at, *fixed.bits);
  return (lies_near || !is_near(to)) && is_within(to, fixed.at, *fixed.bits);
}

std::optional<std::uint32_t> Policy::permits(profile::Protocol protocol, const Address& to,
                                             std::uint64_t now_ns) const {
  if (const auto rule = fixed_rule(protocol, to)) return rule;
  const auto first = first_opened(protocol, to, now_ns, [](std::uint32_t) { return true; });
  return first && !is_near(without_port(to)) ? first : std::nullopt;  // it may have become this host's since
}

bool Policy::asks_for_name(const Address& to, std::uint64_t now_ns) const {
  constexpr auto kTcp = profile::Protocol::Tcp;
  const auto is_unchecked = [&](std::uint32_t rule) { return rules_[rule].sni == profile::Sni::Off; };
  return !fixed_rule(kTcp, to) && !first_opened(kTcp, to, now_ns, is_unchecked);
}

bool Policy::permits_by(std::span<const std::uint32_t> rules, const Address& to, std::uint64_t now_ns) const {
  return first_opened(profile::Protocol::Tcp, to, now_ns, [&](std::uint32_t rule) {
           return std::ranges::find(rules, rule) != rules.end();
         }).has_value();
}

bool Policy::fits(std::uint32_t rule, profile::Protocol protocol, std::uint16_t port) const {
  return rules_[rule].protocol == protocol && has_port(rules_[rule].ports, port);
}

std::optional<std::uint32_t> Policy::fixed_rule(profile::Protocol protocol, const Address& to) const {
  const Address host = without_port(to);
  for (const Fixed& fixed : fixed_)
    if (fits(fixed.rule, protocol, to.port) && covers(fixed, host)) return fixed.rule;
  return std::nullopt;
}

template <typename Wanted>
std::optional<std::uint32_t> Policy::first_opened(profile::Protocol protocol, const Address& to, std::uint64_t now_ns,
                                                  Wanted is_wanted) const {
  const auto found = opened_.find(without_port(to));
  if (found == opened_.end()) return std::nullopt;
  for (const Opened& opened : found->second)
    if (opened.until_ns > now_ns && fits(opened.rule, protocol, to.port) && is_wanted(opened.rule)) return opened.rule;
  return std::nullopt;
}

bool Policy::open(std::uint32_t rule, const Address& to, std::uint32_t ttl_s, std::uint64_t now_ns) {
  if (rule >= rules_.size() || is_fixed(rules_[rule])) return false;
  const Address host = without_port(to);
  const bool is_granted = std::ranges::any_of(fixed_, [&](const Fixed& fixed) { return covers(fixed, host); });
  const bool leads_back = is_near(host) || (is_private(host) && is_public(rules_[rule].host));
  if (leads_back) return is_granted;
  const std::uint64_t until = now_ns + (std::min(ttl_s, kMostSeconds) + kGraceSeconds) * kNsPerSecond;
  if (auto* const same = const_cast<Opened*>(find(host, rule)))
    return same->until_ns = std::max(same->until_ns, until), true;
  if (counts_[rule] >= kMostOpened) make_room(rule);
  opened_[host].push_back({rule, until});
  ++counts_[rule];
  return true;
}

bool Policy::has_opened(std::uint32_t rule, const Address& to) const { return find(without_port(to), rule) != nullptr; }

const Policy::Opened* Policy::find(const Address& host, std::uint32_t rule) const {
  const auto found = opened_.find(host);
  if (found == opened_.end()) return nullptr;
  const auto same = std::ranges::find(found->second, rule, &Opened::rule);
  return same == found->second.end() ? nullptr : &*same;
}

void Policy::make_room(std::uint32_t rule) {
  auto first = opened_.end();
  std::uint64_t until = ~std::uint64_t{0};
  for (auto one = opened_.begin(); one != opened_.end(); ++one)
    for (const Opened& opened : one->second)
      if (opened.rule == rule && opened.until_ns < until) first = one, until = opened.until_ns;
  if (first == opened_.end()) return;
  std::erase_if(first->second, [&](const Opened& opened) { return opened.rule == rule; });
  if (first->second.empty()) opened_.erase(first);
  --counts_[rule];
}

}  // namespace jail::egress
