#include "egress/plan.h"

#include <gtest/gtest.h>

#include "profile/endpoint.h"

namespace jail::egress {
namespace {

profile::Endpoint endpoint(const std::string& text, int line) {
  profile::EndpointReading reading = profile::parse_endpoint(text);
  EXPECT_EQ(reading.problem, "") << text;
  reading.endpoint.place.line = line;
  return reading.endpoint;
}

profile::Network allowing(const std::vector<std::string>& entries) {
  profile::Network network;
  for (const std::string& entry : entries)
    network.allow.push_back(endpoint(entry, static_cast<int>(network.allow.size())));
  return network;
}

std::vector<std::string> texts(const std::vector<Door>& doors) {
  std::vector<std::string> all;
  for (const Door& door : doors) all.push_back(text_of(door.at) + " " + std::to_string(door.at.port));
  return all;
}

using Texts = std::vector<std::string>;

TEST(EgressPlan, NothingIsAskedForNothingIsThere) {
  const Plan plan = egress::plan({});
  EXPECT_TRUE(plan.out.empty());
  EXPECT_TRUE(plan.in.empty());
  EXPECT_FALSE(plan.missing);
}

TEST(EgressPlan, ADoorForEachPortOfThisHost) {
  const Plan plan = egress::plan(allowing({"tcp://127.0.0.1:80,8000-8001", "tcp://[::1]:80", "tcp://127.0.0.1:80"}));
  EXPECT_EQ(texts(plan.out), (Texts{"127.0.0.1 80", "127.0.0.1 8000", "127.0.0.1 8001", "::1 80"}));
  EXPECT_EQ(plan.reach, Plan::Reach::Loopback);
}

TEST(EgressPlan, ADoorAtEveryAddressForOtherHosts) {
  const Plan plan =
      egress::plan(allowing({"tcp://203.0.113.1:443", "tcp://198.51.100.0/24:443", "tcp://[2001:db8::1]:80"}));
  EXPECT_EQ(texts(plan.out), (Texts{"0.0.0.0 443", ":: 80"}));
  EXPECT_EQ(plan.reach, Plan::Reach::Abroad);
  EXPECT_EQ(plan.out.front().place.line, 0);
}

TEST(EgressPlan, OneSocketForAPortOfThisHostAndOfOthers) {
  const Plan plan = egress::plan(allowing({"tcp://127.0.0.1:443,80", "tcp://203.0.113.1:443"}));
  EXPECT_EQ(texts(plan.out), (Texts{"127.0.0.1 80", "0.0.0.0 443"}));
}

TEST(EgressPlan, ANetworkOfThisHostHasADoorAtEveryAddress) {
  const Plan plan = egress::plan(allowing({"tcp://127.0.0.1:80,90", "tcp://127.0.0.0/8:80", "tcp://[::1]/128:80"}));
  EXPECT_EQ(texts(plan.out), (Texts{"127.0.0.1 90", "0.0.0.0 80", "::1 80"}));
  EXPECT_EQ(plan.reach, Plan::Reach::Loopback);
  EXPECT_FALSE(plan.missing);
}

TEST(EgressPlan, ProtocolsHaveDoorsOfTheirOwn) {
  const Plan plan = egress::plan(allowing({"tcp://203.0.113.1:53", "udp://203.0.113.1:53", "udp://127.0.0.1:53"}));
  EXPECT_EQ(texts(plan.out), (Texts{"0.0.0.0 53", "0.0.0.0 53"}));
  EXPECT_EQ(plan.out.front().protocol, profile::Protocol::Tcp);
  EXPECT_EQ(plan.out.back().protocol, profile::Protocol::Udp);
}

TEST(EgressPlan, ANameHasDoorsOfBothFamiliesAndAResolver) {
  const Plan plan = egress::plan(allowing({"tcp://a.example:443", "tcp://*.b.example:443"}));
  EXPECT_EQ(texts(plan.out), (Texts{"0.0.0.0 443", ":: 443"}));
  EXPECT_EQ(plan.resolver, Plan::Resolver::Own);
  EXPECT_EQ(egress::plan(allowing({"tcp://203.0.113.1:443"})).resolver, Plan::Resolver::None);
}

TEST(EgressPlan, TheResolverHasPort53ForItself) {
  for (const char* entry : {"udp://203.0.113.0/24:53", "tcp://b.example:53", "udp://127.0.0.0/8:53"}) {
    const Plan plan = egress::plan(allowing({"tcp://a.example:443", entry}));
    ASSERT_TRUE(plan.missing) << entry;
    EXPECT_EQ(plan.missing->place.line, 1) << entry;
  }
}

TEST(EgressPlan, AServerAtPort53HasADoorAtItsAddressBesideTheResolver) {
  const Plan plan = egress::plan(
      allowing({"udp://203.0.113.1:53", "tcp://[2001:db8::1]:53", "udp://127.0.0.53:53", "tcp://a.example:80"}));
  EXPECT_EQ(texts(plan.out), (Texts{"203.0.113.1 53", "2001:db8::1 53", "127.0.0.53 53", "0.0.0.0 80", ":: 80"}));
  EXPECT_FALSE(plan.missing);
}

TEST(EgressPlan, WhatThisVersionCannotDoHasItsLine) {
  for (const char* entry : {"tcp://127.0.0.1:*", "udp://203.0.113.1:*", "tcp://127.0.0.1:1000-2000"}) {
    const Plan plan = egress::plan(allowing({"tcp://127.0.0.1:80", entry}));
    ASSERT_TRUE(plan.missing) << entry;
    EXPECT_EQ(plan.missing->place.line, 1) << entry;
  }
}

TEST(EgressPlan, TheDoorOfAllPortsHasOneThatNobodyNames) {
  EXPECT_FALSE(egress::plan(allowing({"tcp://203.0.113.1:443"})).port_of_all);
  profile::Network network = allowing({"tcp://203.0.113.1:*", "tcp://203.0.113.2:65535"});
  network.listen.push_back(endpoint("tcp://127.0.0.1:65533-65534", 7));
  const Plan plan = egress::plan(network);
  EXPECT_FALSE(plan.missing);
  EXPECT_EQ(plan.port_of_all, 65532);
  EXPECT_EQ(texts(plan.out), (Texts{"0.0.0.0 65535", "0.0.0.0 65532", ":: 65532"}));
}

TEST(EgressPlan, APortLeadsOutOrIn) {
  for (const char* entry : {"tcp://127.0.0.1:8080", "tcp://203.0.113.1:8080"}) {
    profile::Network network = allowing({entry});
    network.listen.push_back(endpoint("tcp://127.0.0.1:8080", 7));
    ASSERT_TRUE(egress::plan(network).missing) << entry;
    EXPECT_EQ(egress::plan(network).missing->place.line, 7);
    network.listen.front().protocol = profile::Protocol::Udp;
    EXPECT_FALSE(egress::plan(network).missing) << entry;
    network.listen.front() = endpoint("tcp://127.0.0.1:8081", 7);
    EXPECT_FALSE(egress::plan(network).missing) << entry;
  }
}

TEST(EgressPlan, DoorsAreBounded) {
  profile::Network network = allowing({"tcp://127.0.0.1:1-64", "tcp://127.0.0.2:1-64"});
  EXPECT_FALSE(egress::plan(network).missing);
  network.listen.push_back(endpoint("tcp://127.0.0.1:8080", 7));
  EXPECT_TRUE(egress::plan(network).missing);
}

}  // namespace
}  // namespace jail::egress
