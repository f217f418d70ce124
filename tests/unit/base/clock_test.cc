#include "base/clock.h"

#include <gtest/gtest.h>

#include <set>

#include "base/random.h"

namespace jail {
namespace {

using std::chrono::microseconds;

TEST(Clock, WritesUtcWithMicroseconds) {
  EXPECT_EQ(clock::rfc3339(clock::WallTime(microseconds(0))), "1970-01-01T00:00:00.000000Z");
  EXPECT_EQ(clock::rfc3339(clock::WallTime(microseconds(1'709'210'096'000'042))), "2024-02-29T12:34:56.000042Z");
  EXPECT_EQ(clock::rfc3339(clock::WallTime(microseconds(-1))), "1969-12-31T23:59:59.999999Z");
}

TEST(Clock, ReadsWhatItWrites) {
  for (const std::int64_t us : {0LL, -1LL, 1'709'210'096'000'042LL, 4'102'444'799'999'999LL}) {
    const clock::WallTime time{microseconds(us)};
    EXPECT_EQ(clock::parse_rfc3339(clock::rfc3339(time)), time);
  }
}

TEST(Clock, RefusesEveryOtherForm) {
  for (const std::string_view text :
       {"", "2024-02-29", "2024-02-29T12:34:56Z", "2024-02-29T12:34:56.000042+00:00", "2024-02-30T12:34:56.000042Z",
        "2023-02-29T12:34:56.000042Z", "2024-02-29T24:00:00.000000Z", "2024-02-29T12:60:56.000042Z",
        "2024-02-29T12:34:60.000042Z", "2024-02-29T12:34:5x.000042Z", "2024-+2-29T12:34:56.000042Z",
        "2024-02-29 12:34:56.000042Z", "2024-13-01T12:34:56.000042Z"})
    EXPECT_FALSE(clock::parse_rfc3339(text)) << text;
}

TEST(Clock, BootTimeGoesForward) {
  const std::uint64_t before = clock::boottime_ns();
  EXPECT_GT(before, 0u);
  EXPECT_GE(clock::boottime_ns(), before);
}

TEST(Random, RunIdsAreSixteenHexadecimalDigitsAndDiffer) {
  std::set<std::string> ids;
  for (int round = 0; round < 10'000; ++round) {
    const std::string id = random::run_id();
    ASSERT_EQ(id.size(), 16u);
    ASSERT_EQ(id.find_first_not_of("0123456789abcdef"), std::string::npos);
    ids.insert(id);
  }
  EXPECT_EQ(ids.size(), 10'000u);
}

}  // namespace
}  // namespace jail
