#include "egress/dns_cache.h"

#include <algorithm>

#include "egress/dns_limits.h"

namespace jail::egress {
namespace {

std::uint32_t seconds_of(const Answer& answer) {
  if (answer.rcode != Rcode::NoError && answer.rcode != Rcode::NxDomain) return 0;
  if (answer.addresses.empty()) return DnsCache::kSecondsOfNothing;
  return std::min(std::ranges::min_element(answer.addresses, {}, &Given::ttl)->ttl, DnsCache::kMostSeconds);
}

}  // namespace

std::string DnsCache::key_of(std::string_view name, std::uint16_t type) {
  return std::to_string(type) + ' ' + std::string(name);
}

void DnsCache::put(std::string_view name, std::uint16_t type, const Answer& answer, std::uint64_t now) {
  const std::uint32_t seconds = seconds_of(answer);
  if (seconds == 0) return;
  if (kept_.size() >= kMost) make_room(now);
  kept_.insert_or_assign(key_of(name, type), Kept{answer, now, now + seconds * kSecond});
}

std::optional<Answer> DnsCache::find(std::string_view name, std::uint16_t type, std::uint64_t now) const {
  const auto found = kept_.find(key_of(name, type));
  if (found == kept_.end() || found->second.until <= now) return std::nullopt;
  Answer answer = found->second.answer;
  const auto passed = static_cast<std::uint32_t>((now - found->second.since) / kSecond);
  for (Given& given : answer.addresses) given.ttl -= passed;
  return answer;
}

void DnsCache::make_room(std::uint64_t now) {
  std::erase_if(kept_, [&](const auto& one) { return one.second.until <= now; });
  if (kept_.size() >= kMost) kept_.clear();
}

}  // namespace jail::egress
