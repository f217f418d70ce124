#include "egress/policy.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>

#include "profile/endpoint.h"

namespace jail::egress {
namespace {

using profile::Protocol;

constexpr std::uint64_t kSecond = 1'000'000'000;

// Its rules are kept for good.
Policy policy(const std::vector<std::string>& entries, const std::vector<std::string>& own = {}) {
  static std::deque<std::vector<profile::Endpoint>> kept;
  std::vector<profile::Endpoint>& rules = kept.emplace_back();
  for (const std::string& entry : entries) {
    const profile::EndpointReading reading = profile::parse_endpoint(entry);
    EXPECT_EQ(reading.problem, "") << entry;
    rules.push_back(reading.endpoint);
  }
  std::vector<Address> addresses;
  for (const std::string& text : own) addresses.push_back(*address_of(text, 0));
  return {rules,
          [addresses](const Address& address) { return std::ranges::find(addresses, address) != addresses.end(); }};
}

std::optional<std::uint32_t> tcp(const Policy& policy, const char* text, std::uint16_t port, std::uint64_t now = 0) {
  return policy.permits(Protocol::Tcp, *address_of(text, port), now);
}

TEST(Policy, AnAddressWithItsPortsAndNothingBeside) {
  const Policy policy = egress::policy({"tcp://203.0.113.1:443,8000-8010", "udp://203.0.113.1:53"});
  EXPECT_EQ(tcp(policy, "203.0.113.1", 443), 0U);
  EXPECT_EQ(tcp(policy, "203.0.113.1", 8010), 0U);
  EXPECT_EQ(policy.permits(Protocol::Udp, *address_of("203.0.113.1", 53), 0), 1U);
  EXPECT_FALSE(tcp(policy, "203.0.113.1", 53));
  EXPECT_FALSE(tcp(policy, "203.0.113.1", 8011));
  EXPECT_FALSE(tcp(policy, "203.0.113.2", 443));
  EXPECT_FALSE(tcp(policy, "2001:db8::1", 443));
}

TEST(Policy, ANetworkToItsLastBit) {
  const Policy policy = egress::policy({"tcp://10.32.0.0/11:80", "tcp://[2001:db8:8000::]/33:80"});
  for (const char* inside : {"10.32.0.0", "10.63.255.255", "2001:db8:8000::1", "2001:db8:ffff:ffff::"})
    EXPECT_TRUE(tcp(policy, inside, 80)) << inside;
  for (const char* outside : {"10.31.255.255", "10.64.0.0", "2001:db8:7fff::1", "2001:db9::"})
    EXPECT_FALSE(tcp(policy, outside, 80)) << outside;
}

TEST(Policy, EveryAddressIsNoneOfThisHostOrItsLink) {
  const Policy policy = egress::policy({"tcp://0.0.0.0/0:80", "tcp://[::]/0:80"}, {"198.51.100.1", "2001:db8::1"});
  for (const char* far : {"203.0.113.1", "10.0.0.1", "2001:db8::2"}) EXPECT_TRUE(tcp(policy, far, 80)) << far;
  for (const char* near : {"127.0.0.1", "0.0.0.0", "169.254.169.254", "224.0.0.1", "255.255.255.255", "198.51.100.1",
                           "::1", "::", "fe80::1", "ff02::1", "2001:db8::1", "::ffff:127.0.0.1"})
    EXPECT_FALSE(tcp(policy, near, 80)) << near;
}

TEST(Policy, WhatIsNearMayBeNamed) {
  const Policy policy = egress::policy({"tcp://127.0.0.1:80", "tcp://169.254.0.0/16:80", "tcp://198.51.100.1:80"},
                                       {"198.51.100.1", "198.51.100.2"});
  for (const char* named : {"127.0.0.1", "169.254.169.254", "198.51.100.1"})
    EXPECT_TRUE(tcp(policy, named, 80)) << named;
  for (const char* other : {"127.0.0.2", "198.51.100.2"}) EXPECT_FALSE(tcp(policy, other, 80)) << other;
}

TEST(Policy, ANameOpensAnAddressForItsPortsAndItsTime) {
  Policy policy = egress::policy({"tcp://a.example:443", "tcp://*.b.example:80"});
  EXPECT_FALSE(tcp(policy, "203.0.113.1", 443));
  ASSERT_TRUE(policy.open(0, *address_of("203.0.113.1", 0), 30, 0));
  EXPECT_EQ(tcp(policy, "203.0.113.1", 443), 0U);
  EXPECT_FALSE(tcp(policy, "203.0.113.1", 80));
  EXPECT_FALSE(tcp(policy, "203.0.113.2", 443));
  EXPECT_TRUE(tcp(policy, "203.0.113.1", 443, 89 * kSecond));  // with a minute of grace
  EXPECT_FALSE(tcp(policy, "203.0.113.1", 443, 91 * kSecond));
  ASSERT_TRUE(policy.open(1, *address_of("203.0.113.1", 0), 30, 0));
  EXPECT_EQ(tcp(policy, "203.0.113.1", 80), 1U);
}

TEST(Policy, NoNameOpensWhatIsNearOrPrivate) {
  Policy policy = egress::policy({"tcp://a.example:80"}, {"198.51.100.1"});
  for (const char* address :
       {"127.0.0.1", "10.1.2.3", "172.31.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "198.51.100.1",
        "0.0.0.0", "::1", "fe80::1", "fd00::1", "::ffff:10.0.0.1", "64:ff9b::a00:1"}) {
    EXPECT_FALSE(policy.open(0, *address_of(address, 0), 60, 0)) << address;
    EXPECT_FALSE(tcp(policy, address, 80)) << address;
  }
  EXPECT_TRUE(policy.open(0, *address_of("203.0.113.1", 0), 60, 0));
}

TEST(Policy, ANameOfALocalNetworkMayPointThere) {
  Policy policy = egress::policy({"tcp://redis:6379", "tcp://nas.home.arpa:80", "tcp://a.example:80"}, {"10.0.0.1"});
  for (const std::uint32_t rule : {0U, 1U}) {
    EXPECT_TRUE(policy.open(rule, *address_of("172.18.0.5", 0), 60, 0)) << rule;
    for (const char* near : {"127.0.0.1", "169.254.169.254", "10.0.0.1", "::1"})
      EXPECT_FALSE(policy.open(rule, *address_of(near, 0), 60, 0)) << near;
  }
  EXPECT_FALSE(policy.open(2, *address_of("172.18.0.5", 0), 60, 0));
}

// Its own ports, and none of the name's.
TEST(Policy, ANameMayPointWhereAnEntryLeadsAnyway) {
  Policy policy = egress::policy({"tcp://a.example:80", "tcp://10.0.0.0/8:443", "tcp://127.0.0.1:9000"});
  EXPECT_TRUE(policy.open(0, *address_of("10.1.2.3", 0), 60, 0));
  EXPECT_TRUE(policy.open(0, *address_of("127.0.0.1", 0), 60, 0));
  EXPECT_EQ(tcp(policy, "10.1.2.3", 443), 1U);
  EXPECT_EQ(tcp(policy, "127.0.0.1", 9000), 2U);
  EXPECT_FALSE(tcp(policy, "10.1.2.3", 80));
  EXPECT_FALSE(tcp(policy, "127.0.0.1", 80));
  EXPECT_FALSE(policy.open(0, *address_of("192.168.0.1", 0), 60, 0));
}

TEST(Policy, AnAddressThatBecomesThisHostsIsNoLongerOpen) {
  bool is_own = false;
  const profile::EndpointReading name = profile::parse_endpoint("tcp://a.example:80");
  const profile::EndpointReading all = profile::parse_endpoint("tcp://0.0.0.0/0:443");
  const std::vector<profile::Endpoint> rules{name.endpoint, all.endpoint};
  Policy policy(rules, [&](const Address&) { return is_own; });
  ASSERT_TRUE(policy.open(0, *address_of("203.0.113.1", 0), 60, 0));
  EXPECT_TRUE(tcp(policy, "203.0.113.1", 80));
  EXPECT_TRUE(tcp(policy, "203.0.113.1", 443));
  is_own = true;
  EXPECT_FALSE(tcp(policy, "203.0.113.1", 80));
  EXPECT_FALSE(tcp(policy, "203.0.113.1", 443));
}

TEST(Policy, WhatCloudsTellTheirMachinesIsNear) {
  Policy policy = egress::policy({"tcp://0.0.0.0/0:80", "tcp://[::]/0:80", "tcp://a.example:80"});
  for (const char* service :
       {"169.254.169.254", "100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254", "fd20:ce::254"}) {
    EXPECT_FALSE(tcp(policy, service, 80)) << service;
    EXPECT_FALSE(policy.open(2, *address_of(service, 0), 60, 0)) << service;
  }
}

TEST(Policy, OnlyRulesOfNamesAreOpened) {
  Policy policy = egress::policy({"tcp://203.0.113.0/24:80"});
  EXPECT_FALSE(policy.open(0, *address_of("198.51.100.1", 0), 60, 0));
  EXPECT_FALSE(policy.open(1, *address_of("198.51.100.1", 0), 60, 0));
}

// One name that points to ever new addresses takes nothing from another.
TEST(Policy, OpenedAddressesAreBoundedByRule) {
  Policy policy = egress::policy({"tcp://*.a.example:80", "tcp://b.example:80"});
  ASSERT_TRUE(policy.open(1, *address_of("203.0.113.1", 0), 1, 0));
  Address address = *address_of("2a00::", 0);
  const auto next = [&] {
    if (++address.bytes[15] == 0) ++address.bytes[14];
    return address;
  };
  const Address first = next();
  ASSERT_TRUE(policy.open(0, first, 1, 0));
  for (std::size_t i = 1; i < 2 * Policy::kMostOpened; ++i) ASSERT_TRUE(policy.open(0, next(), 60, 0)) << i;
  EXPECT_FALSE(tcp(policy, text_of(first).c_str(), 80));
  EXPECT_TRUE(tcp(policy, text_of(address).c_str(), 80));
  EXPECT_TRUE(tcp(policy, "203.0.113.1", 80));
}

TEST(Policy, AStreamToANameMustSayIt) {
  Policy policy = egress::policy(
      {"tcp://a.example:443", "tcp://b.example:443", "tcp://c.example:80", "tcp://203.0.113.2:443"});
  const Address shared = *address_of("203.0.113.1", 443);
  for (const std::uint32_t rule : {0U, 2U}) ASSERT_TRUE(policy.open(rule, *address_of("203.0.113.1", 0), 60, 0));
  ASSERT_TRUE(policy.open(0, *address_of("203.0.113.2", 0), 60, 0));
  EXPECT_TRUE(policy.asks_for_name(shared, 0));
  EXPECT_FALSE(policy.asks_for_name(*address_of("203.0.113.2", 443), 0));  // which a line has by its address
  const auto permits = [&](std::uint32_t rule, std::uint64_t now = 0) {
    return policy.permits_by(std::vector<std::uint32_t>{~0U, rule}, shared, now);
  };
  EXPECT_TRUE(permits(0));
  EXPECT_FALSE(permits(1));  // it leads elsewhere
  EXPECT_FALSE(permits(2));  // and this one to another port
  EXPECT_FALSE(permits(0, 121 * kSecond));
}

TEST(Policy, AStreamMayBeUncheckedWhereALineSaysSo) {
  std::vector<profile::Endpoint> rules;
  for (const char* entry : {"tcp://a.example:443", "tcp://b.example:443"})
    rules.push_back(profile::parse_endpoint(entry).endpoint);
  rules[1].sni = profile::Sni::Off;
  Policy policy(rules, [](const Address&) { return false; });
  const Address at = *address_of("203.0.113.1", 443);
  ASSERT_TRUE(policy.open(0, *address_of("203.0.113.1", 0), 60, 0));
  EXPECT_TRUE(policy.asks_for_name(at, 0));
  ASSERT_TRUE(policy.open(1, *address_of("203.0.113.1", 0), 60, 0));
  EXPECT_FALSE(policy.asks_for_name(at, 0));
}

}  // namespace
}  // namespace jail::egress
