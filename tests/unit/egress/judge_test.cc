#include "egress/judge.h"

#include <gtest/gtest.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <array>
#include <cstring>
#include <string>

#include "profile/endpoint.h"
#include "sys/socket.h"

namespace jail::egress {
namespace {

using Verdict = Judgement::Verdict;

Names names(const std::vector<std::string>& entries) {
  std::vector<profile::Endpoint> rules;
  for (const std::string& entry : entries) rules.push_back(profile::parse_endpoint(entry).endpoint);
  return Names(rules);
}

// A judge with its epoll, the relay's end of the socket, and streams that somebody sends.
class Court : public testing::Test {
 protected:
  Fd hand_over(std::uint16_t port, const std::string& begin = {}) {
    int ends[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
    Fd plugin(ends[0]);
    const Fd relays(ends[1]);
    say(plugin, begin);
    const Judgement asked{
        .connection = next_++, .port = port, .family = AF_INET, .address = address_of("203.0.113.1", port)->bytes};
    const int passed = relays.get();
    EXPECT_TRUE(sys::try_send_message(pair_.ours, std::as_bytes(std::span(&asked, 1)), {&passed, 1}));
    run();
    return plugin;
  }

  void say(const Fd& plugin, const std::string& bytes) {
    EXPECT_EQ(::send(plugin.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
    run();
  }

  void run() {
    std::array<epoll_event, 16> events{};
    for (int count = 1; count > 0 && is_relay_there_;) {
      count = ::epoll_wait(poll_.get(), events.data(), events.size(), 0);
      for (int i = 0; i < count; ++i)
        is_relay_there_ &= judge_.carry(events[static_cast<std::size_t>(i)].data.u64, now_);
    }
  }

  std::optional<Judgement> verdict() {
    std::array<char, sizeof(Judgement) + kMostHeard> message{};
    const ssize_t size = ::recv(pair_.ours.get(), message.data(), message.size(), MSG_DONTWAIT);
    Judgement judged;
    if (size < static_cast<ssize_t>(sizeof judged)) return std::nullopt;
    std::memcpy(&judged, message.data(), sizeof judged);
    given_back_.assign(message.data() + sizeof judged, static_cast<std::size_t>(size) - sizeof judged);
    return judged;
  }

  Fd poll_{::epoll_create1(EPOLL_CLOEXEC)};
  sys::SocketPair pair_ = sys::socket_pair();
  Names names_ =
      names({"tcp://a.example:443", "tcp://*.b.example:443,80", "udp://a.example:443", "tcp://a.example:80"});
  const std::vector<std::string> searched_{"b.example"};
  Answered answered_;
  Judge judge_{poll_, pair_.theirs, names_, searched_, answered_};
  std::uint64_t now_ = 1000;
  std::uint64_t next_ = 7;
  std::string given_back_;  // with the last verdict
  bool is_relay_there_ = true;
};

const std::string kRequest = "GET / HTTP/1.1\r\nHost: A.example\r\n\r\n";

TEST_F(Court, TellsTheNameAndItsRulesForThePort) {
  const Fd plugin = hand_over(80, kRequest);
  const auto judged = verdict();
  ASSERT_TRUE(judged);
  EXPECT_EQ(judged->connection, 7U);
  EXPECT_EQ(judged->verdict, Verdict::Named);
  EXPECT_STREQ(judged->name.data(), "a.example");
  EXPECT_EQ(judged->rules[0], 3U);
  EXPECT_EQ(judged->rules[1], Judgement::kNoRule);
}

TEST_F(Court, TakesAShortNameForOneOfASearchedDomainAndNoOther) {
  const auto rules_of = [this](const std::string& host) {
    const Fd plugin = hand_over(80, "GET / HTTP/1.1\r\nHost: " + host + "\r\n\r\n");
    const auto judged = verdict();
    return judged ? judged->rules[0] : 0;
  };
  answered_.add("elsewhere.b.example", *address_of("203.0.113.2", 0));
  for (const char* name : {"short", "123", "localhost"})
    answered_.add(std::string(name) + ".b.example", *address_of("203.0.113.1", 0));
  EXPECT_EQ(rules_of("short"), 1U);
  EXPECT_EQ(rules_of("short.b.example."), 1U);
  for (const char* name : {"never", "elsewhere", "123", "localhost", "short."})
    EXPECT_EQ(rules_of(name), Judgement::kNoRule) << name;
  EXPECT_EQ(rules_of("cotenant.example"), Judgement::kNoRule);  // not cotenant.example.b.example
  EXPECT_EQ(rules_of("a.other"), Judgement::kNoRule);
}

TEST_F(Court, GivesBackWhatItHasTakenAndKeepsNoSocket) {
  const Fd plugin = hand_over(80, kRequest + "body");
  ASSERT_TRUE(verdict());
  EXPECT_EQ(given_back_, kRequest + "body");
  char byte = 0;
  EXPECT_EQ(::recv(plugin.get(), &byte, 1, 0), 0);  // the relay's was closed as soon as it was handed over
}

TEST_F(Court, WaitsForTheWholeOfIt) {
  const Fd plugin = hand_over(80);
  EXPECT_EQ(judge_.deadline(), ~std::uint64_t{0});  // who says nothing may wait
  for (const char letter : kRequest.substr(0, kRequest.size() - 1)) say(plugin, std::string(1, letter));
  EXPECT_FALSE(verdict());
  EXPECT_EQ(judge_.deadline(), now_ + Judge::kPatience);
  say(plugin, "\n");
  ASSERT_TRUE(verdict());
  EXPECT_EQ(given_back_, kRequest);
  EXPECT_EQ(judge_.deadline(), ~std::uint64_t{0});
}

TEST_F(Court, ButNotForEver) {
  const Fd silent = hand_over(80);
  const Fd slow = hand_over(443, "\x16");
  judge_.pass(now_ + Judge::kPatience - 1);
  EXPECT_FALSE(verdict());
  judge_.pass(now_ + Judge::kPatience);
  const auto judged = verdict();
  ASSERT_TRUE(judged);
  EXPECT_EQ(judged->connection, 8U);
  EXPECT_EQ(judged->verdict, Verdict::Refused);
  EXPECT_EQ(judged->fault, Fault::TooLate);
  EXPECT_FALSE(verdict());
}

TEST_F(Court, AStreamThatEndsInTheMiddleIsRefusedAndAnEmptyOneIsNot) {
  Fd half = hand_over(443, std::string("\x16\x03\x01\x02", 4));
  half.reset();
  run();
  EXPECT_EQ(verdict().value_or(Judgement{}).fault, Fault::Malformed);
  Fd empty = hand_over(443);
  empty.reset();
  run();
  EXPECT_EQ(verdict().value_or(Judgement{}).verdict, Verdict::Other);
}

TEST_F(Court, AnotherProtocolIsOfAnotherPort) {
  const std::string line = "EHLO me\r\n";
  const Fd mail = hand_over(25, line);
  EXPECT_EQ(verdict().value_or(Judgement{}).verdict, Verdict::Other);
  for (const std::uint16_t port : {80, 443}) {
    const Fd web = hand_over(port, line);
    EXPECT_EQ(verdict().value_or(Judgement{}).fault, Fault::Unknown) << port;
  }
}

TEST_F(Court, NoMoreThanItHasRoomFor) {
  std::vector<Fd> silent;
  for (int i = 0; i < 256; ++i) silent.push_back(hand_over(443));
  EXPECT_FALSE(verdict());
  const Fd beyond = hand_over(443, "GET ");
  EXPECT_EQ(verdict().value_or(Judgement{}).fault, Fault::Unheard);
  silent.pop_back();
  run();
  EXPECT_EQ(verdict().value_or(Judgement{}).verdict, Verdict::Other);
  const Fd again = hand_over(80, kRequest);
  EXPECT_EQ(verdict().value_or(Judgement{}).verdict, Verdict::Named);
}

TEST_F(Court, HearsThatTheRelayIsGone) {
  pair_.ours.reset();
  run();
  EXPECT_FALSE(is_relay_there_);
}

}  // namespace
}  // namespace jail::egress
