#include "egress/dns_cache.h"

#include <gtest/gtest.h>

#include "egress/dns_limits.h"

namespace jail::egress {
namespace {

constexpr std::uint64_t kNow = 1000 * kSecond;

Answer answer_of(std::vector<std::uint32_t> ttls) {
  Answer answer;
  for (const std::uint32_t ttl : ttls) answer.addresses.push_back({*address_of("203.0.113.1", 0), ttl});
  return answer;
}

TEST(DnsCache, KeepsAnAnswerForItsLeastTime) {
  DnsCache cache;
  cache.put("a.example", kTypeA, answer_of({60, 5}), kNow);
  const auto found = cache.find("a.example", kTypeA, kNow + 2 * kSecond);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->addresses.at(0).ttl, 58U);
  EXPECT_EQ(found->addresses.at(1).ttl, 3U);
  EXPECT_TRUE(cache.find("a.example", kTypeA, kNow + 5 * kSecond - 1));
  EXPECT_FALSE(cache.find("a.example", kTypeA, kNow + 5 * kSecond));
  EXPECT_FALSE(cache.find("a.example", kTypeAaaa, kNow));
  EXPECT_FALSE(cache.find("b.example", kTypeA, kNow));
}

TEST(DnsCache, KeepsNothingThatIsToBeAskedEachTime) {
  DnsCache cache;
  cache.put("a.example", kTypeA, answer_of({60, 0}), kNow);
  EXPECT_FALSE(cache.find("a.example", kTypeA, kNow));
  cache.put("b.example", kTypeA, {.rcode = Rcode::ServFail, .is_whole = true, .addresses = {}}, kNow);
  EXPECT_FALSE(cache.find("b.example", kTypeA, kNow)) << "a failure may have passed";
}

TEST(DnsCache, KeepsThatThereIsNothingForASecond) {
  DnsCache cache;
  cache.put("a.example", kTypeAaaa, {}, kNow);
  EXPECT_TRUE(cache.find("a.example", kTypeAaaa, kNow + kSecond - 1));
  EXPECT_FALSE(cache.find("a.example", kTypeAaaa, kNow + kSecond));
  cache.put("b.example", kTypeA, {.rcode = Rcode::NxDomain, .is_whole = true, .addresses = {}}, kNow);
  EXPECT_EQ(cache.find("b.example", kTypeA, kNow).value_or(Answer{}).rcode, Rcode::NxDomain);
}

TEST(DnsCache, IsBoundedWhateverItIsToldToKeep) {
  DnsCache cache;
  cache.put("long.example", kTypeA, answer_of({~0U}), kNow);
  EXPECT_FALSE(cache.find("long.example", kTypeA, kNow + DnsCache::kMostSeconds * kSecond));
  const auto name = [](std::size_t i) { return std::to_string(i) + ".example"; };
  for (std::size_t i = 0; i <= DnsCache::kMost; ++i) cache.put(name(i), kTypeA, answer_of({60}), kNow);
  EXPECT_TRUE(cache.find(name(DnsCache::kMost), kTypeA, kNow)) << "the newest has room";
  std::size_t kept = 0;
  for (std::size_t i = 0; i <= DnsCache::kMost; ++i) kept += cache.find(name(i), kTypeA, kNow) ? 1 : 0;
  EXPECT_LE(kept, DnsCache::kMost);
}

}  // namespace
}  // namespace jail::egress
