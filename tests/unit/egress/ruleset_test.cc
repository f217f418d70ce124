// Which wall a profile's network asks for.
#include "egress/ruleset.h"

#include <gtest/gtest.h>
#include <netinet/in.h>

#include <algorithm>

#include "egress/wall.h"

namespace jail::egress {
namespace {

using profile::Endpoint;
using profile::HostKind;
using profile::Protocol;

Endpoint address(const char* host, std::uint16_t port, Protocol protocol = Protocol::Tcp) {
  return {.protocol = protocol, .kind = HostKind::Address, .host = host, .ports = {{port, port}}, .place = {}};
}

Endpoint network(const char* host, int bits, std::uint16_t port) {
  return {.kind = HostKind::Prefix, .host = host, .prefix_length = bits, .ports = {{port, port}}, .place = {}};
}

Plan plan_of(std::vector<Endpoint> rules) {
  profile::Network network;
  network.allow = std::move(rules);
  return plan(network);
}

std::vector<std::string> lines(std::vector<Endpoint> rules) { return lines_of(*ruleset_of(plan_of(rules)), 100); }

bool has(const std::vector<std::string>& lines, std::string_view line) {
  return std::ranges::find(lines, line) != lines.end();
}

TEST(Ruleset, Addresses) {
  const auto all = lines({address("203.0.113.10", 443), address("2001:db8::1", 53, Protocol::Udp),
                          address("203.0.113.10", 443)});
  EXPECT_TRUE(has(all, "set permitted4 { type ipv4_addr . inet_proto . inet_service; elements = "
                       "{ 203.0.113.10 . tcp . 443 } }"));
  EXPECT_TRUE(has(all, "set permitted6 { type ipv6_addr . inet_proto . inet_service; elements = "
                       "{ 2001:db8::1 . udp . 53 } }"));
  EXPECT_TRUE(has(all, "chain output: ip daddr . meta l4proto . th dport @permitted4 accept"));
  EXPECT_TRUE(has(all, "chain output: ip daddr 127.0.0.0/8 meta l4proto . th dport != @doors4 accept"));
  EXPECT_EQ(all.back(), "chain forward: type filter hook forward priority filter; policy drop;");
  EXPECT_FALSE(has(all, "chain output: tcp dport 53 accept")) << "there is no resolver";
}

TEST(Ruleset, WhatIsNotNamedIsRefusedLast) {
  const Ruleset ruleset = *ruleset_of(plan_of({address("203.0.113.10", 443)}));
  const auto& output = ruleset.chains[1];
  ASSERT_EQ(output.hook, Ruleset::Chain::Hook::Out);
  EXPECT_EQ(output.rules.back().what, Ruleset::Rule::What::All);
  EXPECT_EQ(output.rules.back().then, Ruleset::Rule::Then::Refuse);
}

std::vector<std::string> refusing(Tells tells) {
  const Plan plan = plan_of({address("203.0.113.10", 443), address("2001:db8::1", 53, Protocol::Udp)});
  std::vector<std::string> all = lines_of(*ruleset_of(plan, tells), 100);
  std::erase_if(all, [](std::string_view line) { return !line.starts_with("chain r") && !line.starts_with("set t"); });
  return all;
}

TEST(Ruleset, ToldIsWhatNobodyElseTells) {
  const std::vector<std::string> all = refusing(Tells::All);
  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ(all[0], "chain refuse: counter name \"refused\"");
  std::vector<std::string> at_doors = refusing(Tells::AtDoors);
  ASSERT_EQ(at_doors.size(), 6U);
  EXPECT_EQ(at_doors[0], "set told { type inet_service; elements = { 53, 443 } }");
  EXPECT_EQ(at_doors[1], "chain refuse: tcp dport != @told reject with tcp reset");
  EXPECT_EQ(at_doors[2], "chain refuse: udp dport != @told drop");
  at_doors.erase(at_doors.begin(), at_doors.begin() + 3);
  EXPECT_EQ(at_doors, all);
}

TEST(Ruleset, NamesHaveASetOfEachFamilyAndAResolver) {
  const auto all = lines({{.kind = HostKind::Wildcard, .host = "example.org", .ports = {{443, 444}}, .place = {}}});
  for (const char* set : {"names4", "names6"})
    EXPECT_TRUE(std::ranges::any_of(all, [&](const std::string& line) {
      return line.starts_with(std::string("set ") + set) && line.ends_with("size 65536; flags timeout; }");
    })) << set;
  EXPECT_TRUE(has(all, "chain output: udp dport 53 accept"));
  EXPECT_TRUE(has(all, "set doors6 { type inet_proto . inet_service; elements = { tcp . 443, tcp . 444 } }"));
}

// The kernel takes no two that overlap.
TEST(Ruleset, ANetworkWithinAnotherIsLeftOut) {
  const auto all = lines({network("10.1.0.0", 16, 443), network("10.0.0.0", 8, 443), network("10.1.0.0", 16, 80)});
  EXPECT_TRUE(has(all, "set networks4 { type ipv4_addr . inet_proto . inet_service; flags interval; elements = "
                       "{ 10.1.0.0/16 . tcp . 80, 10.0.0.0/8 . tcp . 443 } }"));
  EXPECT_TRUE(has(lines({network("0.0.0.0", 0, 443), network("10.0.0.0", 8, 443)}),
                  "set networks4 { type ipv4_addr . inet_proto . inet_service; flags interval; elements = "
                  "{ 0.0.0.0/0 . tcp . 443 } }"));
}

TEST(Ruleset, WhatLiesNearIsRefusedBeforeNetworksUnlessItIsNamed) {
  const auto all = lines({network("0.0.0.0", 0, 443), network("169.254.0.0", 16, 80)});
  const auto at = [&](std::string_view line) { return std::ranges::find(all, line) - all.begin(); };
  const auto end = static_cast<std::ptrdiff_t>(all.size());
  const auto links = at("chain output: ip daddr . meta l4proto . th dport @links4 accept");
  const auto near = at("chain output: ip daddr @near4 goto refuse");
  const auto networks = at("chain output: ip daddr . meta l4proto . th dport @networks4 accept");
  EXPECT_LT(links, near);
  EXPECT_LT(near, networks);
  EXPECT_LT(networks, end);
}

Endpoint at_every_port(Endpoint endpoint) {
  endpoint.ports.clear();
  return endpoint;
}

TEST(Ruleset, WhatIsPermittedAtEveryPortIsLedToItsDoor) {
  const auto all = lines({at_every_port(network("10.0.0.0", 8, 0)), at_every_port(network("10.1.0.0", 16, 0)),
                          at_every_port(address("169.254.169.254", 0)), at_every_port(address("203.0.113.1", 0)),
                          address("203.0.113.2", 443)});
  EXPECT_TRUE(has(all, "set all_networks4 { type ipv4_addr . inet_proto; flags interval; elements = "
                       "{ 10.0.0.0/8 . tcp, 203.0.113.1 . tcp } }"));
  EXPECT_TRUE(has(all, "set all_links4 { type ipv4_addr . inet_proto; flags interval; elements = "
                       "{ 169.254.169.254 . tcp } }"));
  const std::vector<std::string> leading(all.end() - 4, all.end());
  EXPECT_EQ(leading, (std::vector<std::string>{"chain prerouting: ip daddr 127.0.0.0/8 accept",
                                               "chain prerouting: ip6 daddr ::1 accept",
                                               "chain prerouting: meta l4proto tcp tproxy to :65535",
                                               "chain prerouting: accept"}));
  EXPECT_FALSE(has(lines({address("203.0.113.2", 443)}), "chain prerouting: accept"));
}

// The wall's list and the policy's function are the same.
TEST(Ruleset, WhatLiesNearIsWhatThePolicySays) {
  for (const int family : {AF_INET, AF_INET6})
    for (const Block& block : blocks_of_this_link(family)) {
      EXPECT_TRUE(is_of_this_link(block.address)) << text_of(block.address);
      EXPECT_EQ(block.address.family, family);
    }
}

TEST(Ruleset, TooManyAddressesAreTheRelaysAlone) {
  std::vector<Endpoint> rules;
  for (int i = 0; i < 130; ++i)
    for (int j = 0; j < 64; ++j)
      rules.push_back(address(("203.0." + std::to_string(i) + "." + std::to_string(j)).c_str(), 443));
  EXPECT_FALSE(ruleset_of(plan_of(rules)));
  rules.resize(kMostFixed);
  EXPECT_TRUE(ruleset_of(plan_of(rules)));
}

TEST(Ruleset, PortsAbroad) {
  EXPECT_EQ(ports_abroad(plan_of({address("203.0.113.10", 443), address("127.0.0.1", 80), address("2001:db8::1", 22)})),
            (std::vector<std::uint16_t>{22, 443}));
}

// --- What is read of a refused packet --------------------------------------------------------------------------------

std::string ipv4_udp(std::uint8_t first = 0x45) {
  std::string packet(28, '\0');
  packet[0] = static_cast<char>(first);
  packet[9] = IPPROTO_UDP;
  packet[16] = static_cast<char>(203), packet[18] = 113, packet[19] = 7;
  packet[20] = 0x12, packet[21] = 0x34, packet[22] = 0x01, packet[23] = static_cast<char>(0xbb);
  return packet;
}

TEST(Attempt, OfAPacket) {
  const auto attempt = attempt_of(ipv4_udp());
  ASSERT_TRUE(attempt);
  EXPECT_EQ(attempt->protocol, IPPROTO_UDP);
  EXPECT_EQ(shown(attempt->to), "203.0.113.7:443");
  EXPECT_EQ(attempt->own_port, 0x1234);
}

TEST(Attempt, WhatIsCutOrNoPacketHasNoPorts) {
  for (std::size_t size = 0; size < 28; ++size) {
    const auto attempt = attempt_of(std::string_view(ipv4_udp()).substr(0, size));
    EXPECT_EQ(attempt.has_value(), size >= 20) << size;
    EXPECT_TRUE(size >= 24 || !attempt || attempt->to.port == 0) << size;
  }
  for (const int first : {0x00, 0x40, 0x44, 0x4f, 0x55, 0x60, 0xff}) {
    const auto attempt = attempt_of(ipv4_udp(static_cast<std::uint8_t>(first)));
    EXPECT_TRUE(!attempt || attempt->to.port == 0) << first;
  }
}

}  // namespace
}  // namespace jail::egress
