// Which name, line and process a refusal is told with.
#include "run/destinations.h"

#include <gtest/gtest.h>

namespace jail::run {
namespace {

using profile::Endpoint;
using profile::HostKind;

constexpr std::uint16_t kPort = 443;
constexpr std::uint64_t kSecond = 1'000'000'000;

egress::Plan plan_of(std::vector<Endpoint> rules) {
  profile::Network network;
  for (Endpoint& rule : rules) {
    rule.ports = {{kPort, kPort}};
    rule.place = {.file = "p.yaml", .line = static_cast<int>(network.allow.size()) + 1};
    network.allow.push_back(rule);
  }
  return egress::plan(network);
}

event::Event call(const std::string& address, std::int32_t pid, std::uint64_t when_ns, const char* name = "connect") {
  event::Event event{.body = event::NetConnect{name, {.address = address, .port = kPort}}};
  if (std::string_view(name) != "connect") event.body = event::NetSend{name, {.address = address, .port = kPort}};
  event.pid = pid;
  event.mono_ns = when_ns;
  return event;
}

template <typename Body>
event::Event refused(const std::string& address, std::uint16_t port = kPort) {
  event::Event event{.body = Body{std::string(Body::kUsualCall), {.address = address, .port = port}}};
  event.verdict = event::Verdict{.decision = event::Decision::Denied, .layer = "network", .rule = "default"};
  return event;
}

Endpoint endpoint(HostKind kind, const char* host) {
  return {.kind = kind, .host = host, .prefix_length = 0, .ports = {}, .place = {}};
}

class WhatIsKnown : public testing::Test {
 protected:
  std::optional<std::int32_t> asked_for(const std::string& address, std::uint64_t when_ns) {
    event::Event event = refused<event::NetConnect>(address);
    all_.complete(event, when_ns);
    return event.pid;
  }
  std::string line_for(const std::string& address) {
    event::Event event = refused<event::NetConnect>(address, kPort + 1);
    all_.complete(event, 0);
    return event.verdict->rule;
  }

  egress::Plan plan_ =
      plan_of({endpoint(HostKind::Name, "a.example"), endpoint(HostKind::Wildcard, "b.example"),
               endpoint(HostKind::Address, "203.0.113.1"), endpoint(HostKind::Prefix, "0.0.0.0"),
               endpoint(HostKind::Address, "169.254.0.1")});
  Destinations all_{plan_};
};

TEST_F(WhatIsKnown, TheLineThatHasTheHost) {
  EXPECT_EQ(line_for("203.0.113.1"), "p.yaml:3");
  EXPECT_EQ(line_for("203.0.113.2"), "p.yaml:4");
  EXPECT_EQ(line_for("169.254.0.1"), "p.yaml:5");
  EXPECT_EQ(line_for("169.254.169.254"), "default") << "a network leaves it out";
  EXPECT_EQ(line_for("2001:db8::1"), "default");
  all_.add_name(*egress::address_of("2001:db8::1", 0), "x.b.example");
  EXPECT_EQ(line_for("2001:db8::1"), "p.yaml:2");
}

TEST_F(WhatIsKnown, TheNearestCallBefore) {
  all_.add_call(call("198.51.100.1", 1, 10));
  all_.add_call(call("198.51.100.1", 2, 20));
  all_.add_call(call("198.51.100.1", 1, 30));
  all_.add_call(call("198.51.100.2", 3, 30));
  EXPECT_FALSE(asked_for("198.51.100.1", 9));
  EXPECT_EQ(asked_for("198.51.100.1", 15), 1);
  EXPECT_EQ(asked_for("198.51.100.1", 30), 1);
  EXPECT_EQ(asked_for("198.51.100.2", 40), 3);
  EXPECT_FALSE(asked_for("198.51.100.3", 40));
  EXPECT_FALSE(asked_for("198.51.100.1", 100 * kSecond));
}

TEST_F(WhatIsKnown, OneAddressInAllItsForms) {
  all_.add_call(call("::ffff:198.51.100.1", 1, 10));
  all_.add_call(call("0.0.0.0", 2, 10));
  all_.add_call(call("::", 3, 10));
  EXPECT_EQ(asked_for("198.51.100.1", 10), 1);
  EXPECT_EQ(asked_for("127.0.0.1", 10), 2);
  EXPECT_EQ(asked_for("::1", 10), 3);
}

TEST_F(WhatIsKnown, ACallOfTheSameSortIsNearer) {
  all_.add_call(call("198.51.100.1", 1, 10));
  all_.add_call(call("198.51.100.1", 2, 20, "sendmsg"));
  EXPECT_EQ(asked_for("198.51.100.1", 20), 1);
  event::Event datagram = refused<event::NetSend>("198.51.100.1");
  all_.complete(datagram, 20);
  EXPECT_EQ(datagram.pid, 2);
  EXPECT_EQ(std::get<event::NetSend>(datagram.body).call, "sendmsg");
}

TEST_F(WhatIsKnown, OfAFloodTheLast) {
  constexpr std::int32_t kCalls = 10'000;
  for (std::int32_t i = 1; i <= kCalls; ++i)
    all_.add_call(call("10.0." + std::to_string(i / 256) + "." + std::to_string(i % 256), i, static_cast<unsigned>(i)));
  EXPECT_FALSE(asked_for("10.0.0.1", kCalls));
  EXPECT_EQ(asked_for("10.0.39.16", kCalls), kCalls);
  EXPECT_EQ(asked_for("10.0.38.17", kCalls), kCalls - 255);
  EXPECT_FALSE(asked_for("10.0.38.16", kCalls));
}

TEST_F(WhatIsKnown, WhatNobodyToldOfIsForetoldOnce) {
  all_.add_call(call("198.51.100.1", 1, 10));  // told
  all_.add_call(call("198.51.100.2", 2, 20));
  all_.add_call(call("198.51.100.3", 3, 20));  // permitted
  all_.add_call(call("198.51.100.4", 4, 30));  // it may yet be told of
  EXPECT_EQ(asked_for("198.51.100.1", 10), 1);
  const auto is_permitted = [](const egress::Address& to, std::uint64_t when) {
    return when == 20 && egress::text_of(to) == "198.51.100.3";
  };
  const std::vector<event::Event> untold = all_.take_untold(is_permitted, 30);
  ASSERT_EQ(untold.size(), 1U);
  EXPECT_EQ(untold[0].pid, 2);
  EXPECT_EQ(std::get<event::NetConnect>(untold[0].body).peer.address, "198.51.100.2");
  EXPECT_TRUE(untold[0].verdict && untold[0].verdict->predicted);
  EXPECT_TRUE(all_.take_untold(is_permitted, 30).empty());
}

TEST_F(WhatIsKnown, AStreamThatNamesNobodyHasNoName) {
  all_.add_name(*egress::address_of("198.51.100.1", 0), "a.example");
  event::Event event = refused<event::NetConnect>("198.51.100.1");
  std::get<event::NetConnect>(event.body).reason = "it names no host";
  all_.complete(event, 0);
  EXPECT_EQ(std::get<event::NetConnect>(event.body).peer.host, "");
}

}  // namespace
}  // namespace jail::run
