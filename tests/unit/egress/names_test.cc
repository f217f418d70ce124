#include "egress/names.h"

#include <gtest/gtest.h>

namespace jail::egress {
namespace {

using profile::HostKind;
using Rules = std::vector<Rule>;

profile::Endpoint endpoint(HostKind kind, std::string host, int bits = 0) {
  profile::Endpoint endpoint;
  endpoint.kind = kind;
  endpoint.host = std::move(host);
  endpoint.prefix_length = bits;
  return endpoint;
}

Names names(std::vector<profile::Endpoint> allow) {
  profile::Network network;
  network.allow = std::move(allow);
  return Names(network);
}

TEST(Names, AreThemselvesAndNothingElse) {
  const Names some = names({endpoint(HostKind::Name, "a.example"), endpoint(HostKind::Name, "b.example")});
  EXPECT_EQ(some.permits("b.example").rules, Rules{1});
  EXPECT_EQ(some.permits("b.example").zone, "");
  for (const char* name : {"", "example", "c.example", "x.a.example", "aa.example", "a.example.", ".a.example"})
    EXPECT_EQ(some.permits(name).rules, Rules{}) << name;
}

TEST(Names, BelowAWildcardHaveALabelOrMoreInFront) {
  const Names some = names({endpoint(HostKind::Wildcard, "pypi.example")});
  for (const char* name : {"files.pypi.example", "a.b.c.pypi.example"}) {
    EXPECT_EQ(some.permits(name).rules, Rules{0}) << name;
    EXPECT_EQ(some.permits(name).zone, "pypi.example") << name;
  }
  for (const char* name : {"pypi.example", "evilpypi.example", "x.evilpypi.example", ".pypi.example", "example",
                           "files.pypi.example.other"})
    EXPECT_EQ(some.permits(name).rules, Rules{}) << name;
}

TEST(Names, HaveEveryLineThatPermitsThem) {
  const Names some = names({endpoint(HostKind::Wildcard, "example"), endpoint(HostKind::Name, "b.a.example"),
                            endpoint(HostKind::Wildcard, "a.example"), endpoint(HostKind::Name, "b.a.example")});
  EXPECT_EQ(some.permits("b.a.example").rules, (Rules{0, 1, 2, 3}));
  EXPECT_EQ(some.permits("b.a.example").zone, "") << "a name that stands there is no secret of the plugin's";
  EXPECT_EQ(some.permits("c.a.example").rules, (Rules{0, 2}));
  EXPECT_EQ(some.permits("c.a.example").zone, "a.example");
}

TEST(Names, MayBeTenThousand) {
  std::vector<profile::Endpoint> allow;
  for (int i = 0; i < 10'000; ++i) allow.push_back(endpoint(HostKind::Name, "n" + std::to_string(i) + ".example"));
  const Names some = names(std::move(allow));
  for (Rule i = 0; i < 10'000; ++i) ASSERT_EQ(some.permits("n" + std::to_string(i) + ".example").rules, Rules{i});
  EXPECT_EQ(some.permits("n10000.example").rules, Rules{});
}

TEST(Names, LeaveAddressesToTheirOwnLines) {
  const Names some = names({endpoint(HostKind::Address, "10.0.0.1"), endpoint(HostKind::Prefix, "fd00::", 8),
                            endpoint(HostKind::Name, "a.example")});
  for (const char* text : {"10.0.0.1", "fd12::1"}) EXPECT_TRUE(some.permits(*address_of(text, 0))) << text;
  for (const char* text : {"10.0.0.2", "fe80::1", "::1"}) EXPECT_FALSE(some.permits(*address_of(text, 0))) << text;
  EXPECT_EQ(some.permits("10.0.0.1").rules, Rules{});
}

}  // namespace
}  // namespace jail::egress
