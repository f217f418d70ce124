#include "broker/protocol.h"

#include <gtest/gtest.h>

#include "bpf/events.h"

namespace jail::broker {
namespace {

std::span<const std::byte> bytes(const std::string& text) { return std::as_bytes(std::span(text)); }

Request whole() { return {.ask = Ask::Trace, .families = 3, .what = JAIL_WANT_PROCESS, .ring_bytes = 1 << 20}; }

std::string why_not(const std::string& message) {
  std::string why;
  EXPECT_FALSE(parse_request(bytes(message), why));
  return why;
}

TEST(Protocol, ARequestComesBack) {
  std::string why;
  EXPECT_EQ(parse_request(bytes(emit(whole())), why), whole());
  EXPECT_EQ(parse_request(bytes(emit(Request{.ask = Ask::Count})), why), (Request{.ask = Ask::Count}));
  EXPECT_EQ(parse_request(bytes(emit(Request{.ask = Ask::Join})), why), (Request{.ask = Ask::Join}));
  EXPECT_EQ(why, "");
  EXPECT_EQ(emit(whole()).size(), kRequestBytes);
}

TEST(Protocol, AnAnswerComesBack) {
  Answer answer{.refused = "no", .support = {}, .no_groups = "none", .lost = 1ULL << 40, .controllers = 5, .files = 3};
  answer.support.missing[1] = "this kernel lacks it";
  std::string why;
  const std::optional<Answer> read = parse_answer(bytes(emit(answer)), why);
  ASSERT_TRUE(read) << why;
  EXPECT_EQ(read->refused, "no");
  EXPECT_EQ(read->lost, 1ULL << 40);
  EXPECT_EQ(read->no_groups, "none");
  EXPECT_EQ(read->controllers, 5U);
  EXPECT_EQ(read->files, 3U);
  EXPECT_EQ(read->support.missing, answer.support.missing);
  EXPECT_EQ(emit(answer).size(), kAnswerBytes);
}

TEST(Protocol, TextIsCutToItsPlace) {
  std::string why;
  const std::optional<Answer> read =
      parse_answer(bytes(emit(Answer{.refused = std::string(1000, 'x'), .support = {}, .no_groups = {}})), why);
  ASSERT_TRUE(read) << why;
  EXPECT_EQ(read->refused, std::string(kReasonBytes - 1, 'x'));
}

TEST(Protocol, WhatIsNoRequestIsNone) {
  EXPECT_EQ(why_not(""), "not a message of jail's");
  EXPECT_EQ(why_not(std::string(kRequestBytes, '\0')), "not a message of jail's");
  EXPECT_EQ(why_not(emit(whole()) + "x"), "not a message of jail's");
  EXPECT_EQ(why_not(emit(whole()).substr(1)), "not a message of jail's");
  EXPECT_EQ(why_not(emit(Answer{})), "not a message of jail's");
}

TEST(Protocol, AnotherVersionsIsSaidToBe) {
  std::string other = emit(whole());
  other[8] = static_cast<char>(other[8] ^ 1);
  EXPECT_EQ(why_not(other), "jail and jaild are of different versions");
  EXPECT_EQ(why_not(other + "of another size"), "jail and jaild are of different versions");
}

TEST(Protocol, OnlyRingsOfSomeSizesAndFamiliesThatThereAre) {
  for (const std::uint32_t size : {0U, 1U, 4096U, 3U << 16, kMostRing * 2}) {
    Request request = whole();
    request.ring_bytes = size;
    EXPECT_NE(why_not(emit(request)), "") << size;
  }
  for (const std::uint32_t families : {0U, 1U << trace::kFamilies, ~0U}) {
    Request request = whole();
    request.families = families;
    EXPECT_NE(why_not(emit(request)), "") << families;
  }
}

}  // namespace
}  // namespace jail::broker
