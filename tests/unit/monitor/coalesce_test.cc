// What is told once, what is counted, and that nothing gets lost between the two.
#include "monitor/coalesce.h"

#include <gtest/gtest.h>

namespace jail::monitor {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;

class Coalesce : public testing::Test {
 protected:
  void open(const std::string& path, std::uint64_t at_ns = kSecond, std::int32_t pid = 1) {
    event::Event event{.body = event::FileOpen{"openat", {path}, {"read"}}, .pid = pid, .mono_ns = at_ns};
    event.verdict = event::Verdict{event::Decision::Denied, "mount", "default", 2, true};
    coalescer.add(std::move(event));
  }
  // Every event that was passed on stands for so many.
  [[nodiscard]] std::uint64_t total() const {
    std::uint64_t sum = 0;
    for (const event::Event& event : passed) sum += event.repeats ? event.repeats->count : 1;
    return sum;
  }

  std::vector<event::Event> passed;
  Coalescer coalescer{[this](const event::Event& event) { passed.push_back(event); }};
};

TEST_F(Coalesce, CountsWhatIsExpectedToBeAbsentTogether) {
  for (int i = 0; i < 100; ++i) {
    event::Event event{.body = event::FileOpen{"openat", {"/x" + std::to_string(i)}, {"read"}}, .mono_ns = kSecond};
    event.expected = true;
    coalescer.add(std::move(event));
  }
  open("/etc/shadow");
  coalescer.flush(~std::uint64_t{0});
  ASSERT_EQ(passed.size(), 3u);
  EXPECT_EQ(passed[2].repeats->count, 99u);
  EXPECT_EQ(passed[2].repeats->samples, (std::vector<std::string>{"/x1", "/x2", "/x3", "/x4", "/x5"}));
}

TEST_F(Coalesce, PassesOnTheFirstAtOnceAndCountsTheRest) {
  for (int i = 0; i < 1000; ++i) open("/etc/shadow", kSecond + static_cast<std::uint64_t>(i), i);
  ASSERT_EQ(passed.size(), 1u);
  EXPECT_FALSE(passed[0].repeats);
  EXPECT_EQ(coalescer.next_flush(), kSecond + 1 + Coalescer::kLongestWaitNs);
  coalescer.flush(~std::uint64_t{0});
  ASSERT_EQ(passed.size(), 2u);
  EXPECT_EQ(passed[1].repeats->count, 999u);
  EXPECT_LE(passed[1].repeats->first, passed[1].repeats->last);
  EXPECT_EQ(coalescer.next_flush(), std::nullopt);
}

TEST_F(Coalesce, TellsApartWhatIsNotAlike) {
  open("/a"), open("/b");
  coalescer.add({.body = event::FileOpen{"openat", {"/a"}, {"write"}}, .mono_ns = 1});
  coalescer.add({.body = event::FileDelete{"unlink", {"/a"}}, .mono_ns = 1});
  coalescer.add({.body = event::FileRename{"rename", {"/a"}, {"/b"}}, .mono_ns = 1});
  coalescer.add({.body = event::FileRename{"rename", {"/a"}, {"/c"}}, .mono_ns = 1});
  coalescer.add({.body = event::SyscallDenied{"socket", 41, "", {{"arg0", 1}}}, .mono_ns = 1});
  coalescer.add({.body = event::SyscallDenied{"socket", 41, "", {{"arg0", 2}}}, .mono_ns = 1});
  coalescer.add({.body = event::NetConnect{"connect", {"127.0.0.1", 80, "", {}}}, .mono_ns = 1});
  coalescer.add({.body = event::NetConnect{"connect", {"127.0.0.1", 81, "", {}}}, .mono_ns = 1});
  coalescer.add({.body = event::NetConnect{"connect", {"127.0.0.1", 81, "", {}}, "why"}, .mono_ns = 1});
  EXPECT_EQ(passed.size(), 11u);
}

TEST_F(Coalesce, NamesThatRunTogetherAreNotAlike) {
  coalescer.add({.body = event::FileRename{"rename", {"/a"}, {"/b/c"}}, .mono_ns = 1});
  coalescer.add({.body = event::FileRename{"rename", {"/a/b"}, {"/c"}}, .mono_ns = 1});
  EXPECT_EQ(passed.size(), 2u);
}

TEST_F(Coalesce, ALoopIsTellingEveryFewSeconds) {
  for (std::uint64_t second = 0; second < 60; ++second) {
    for (int i = 0; i < 100; ++i) open("/x", kSecond * (second + 1));
    if (const auto due = coalescer.next_flush(); due && *due <= kSecond * (second + 1))
      coalescer.flush(kSecond * (second + 1));
  }
  EXPECT_LE(passed.size(), 8u);
  coalescer.flush(~std::uint64_t{0});
  EXPECT_EQ(total(), 6000u);
}

TEST_F(Coalesce, RemembersABoundedNumberAndLosesNone) {
  for (int round = 0; round < 3; ++round)
    for (std::size_t i = 0; i < 3 * Coalescer::kMostKinds; ++i) open("/" + std::to_string(i)), open("/again");
  coalescer.flush(~std::uint64_t{0});
  EXPECT_EQ(total(), 3 * 3 * Coalescer::kMostKinds * 2);
}

}  // namespace
}  // namespace jail::monitor
