#include "profile/quantity.h"

#include <gtest/gtest.h>

#include <random>

namespace jail::profile {
namespace {

TEST(Size, IsAWholeNumberWithABinaryUnit) {
  EXPECT_EQ(parse_size("1B").value, 1u);
  EXPECT_EQ(parse_size("512M").value, 512u << 20);
  EXPECT_EQ(parse_size("3K").value, 3072u);
  EXPECT_EQ(parse_size("2G").value, 2ULL << 30);
  EXPECT_EQ(parse_size("1T").value, 1ULL << 40);
  EXPECT_EQ(parse_size("9223372036854775807B").value, 9223372036854775807u);
}

TEST(Size, RefusesWhatIsNotExactlyThat) {
  for (const char* text : {"",
                           "M",
                           "512",
                           "512m",
                           "512MB",
                           "512MiB",
                           "0M",
                           "00M",
                           "010M",
                           "-1M",
                           "+1M",
                           "1.5G",
                           " 1M",
                           "1M ",
                           "1 M",
                           "0x1M",
                           "1e3M",
                           "9223372036854775808B",
                           "9007199254740992K",
                           "8388608T",
                           "99999999999999999999999999M",
                           "\u0661M",
                           "1M\n"})
    EXPECT_NE(parse_size(text).problem, "") << text;
}

TEST(Size, SaysWhatAGoodOneLooksLike) {
  EXPECT_EQ(parse_size("512").problem, "'512' is not a size");
  EXPECT_NE(parse_size("512").hint.find("512M"), std::string::npos);
  EXPECT_EQ(parse_size("0M").problem, "'0M' is zero");
  EXPECT_EQ(parse_size("99999999999999999999M").problem, "'99999999999999999999M' is too large");
}

TEST(Ring, IsAPowerOfTwoWithinBounds) {
  EXPECT_EQ(parse_ring("64K").value, 64u << 10);
  EXPECT_EQ(parse_ring("16M").value, 16u << 20);
  EXPECT_EQ(parse_ring("256M").value, 256u << 20);
  for (const std::string_view text : {"32K", "3M", "512M", "1G", "65537B"}) {
    EXPECT_EQ(parse_ring(text).problem, "'" + std::string(text) + "' is no size of a ring");
    EXPECT_NE(parse_ring(text).hint, "");
  }
  EXPECT_EQ(parse_ring("16").problem, "'16' is not a size");
}

TEST(Duration, IsAWholeNumberWithAUnit) {
  EXPECT_EQ(parse_duration("500ms").value, 500u);
  EXPECT_EQ(parse_duration("30s").value, 30'000u);
  EXPECT_EQ(parse_duration("10m").value, 600'000u);
  EXPECT_EQ(parse_duration("1h").value, 3'600'000u);
  EXPECT_EQ(parse_duration("7d").value, 604'800'000u);
}

TEST(Duration, RefusesWhatATimerCannotHold) {
  EXPECT_EQ(parse_duration("9223372036854ms").problem, "");
  EXPECT_NE(parse_duration("9223372036855ms").problem, "");
  for (const char* text : {"", "30", "0s", "1.5s", "1h30m", "30S", "30 s", "-1s", "s", "1us", "106752d"})
    EXPECT_NE(parse_duration(text).problem, "") << text;
}

TEST(Cores, IsADecimalNumberInRange) {
  EXPECT_EQ(parse_cores("1.5").value, 1.5);
  EXPECT_EQ(parse_cores("2").value, 2.0);
  EXPECT_EQ(parse_cores("0.01").value, 0.01);
  EXPECT_EQ(parse_cores("4096").value, 4096.0);
  for (const char* text : {"", "0", "0.001", "4097", "10%", "-1", "+1", "1e3", "inf", "nan", ".5", "5.", "1.2.3", "0x1",
                           "1,5", "1_000", " 1"})
    EXPECT_NE(parse_cores(text).problem, "") << text;
}

TEST(Count, IsAWholeNumberUpToItsMost) {
  EXPECT_EQ(parse_count("64", 64).value, 64u);
  for (const char* text : {"", "0", "65", "064", "-1", "+1", "1.0", "1e1", "0x10", "99999999999999999999", "1 "})
    EXPECT_NE(parse_count(text, 64).problem, "") << text;
}

TEST(Quantities, FormatToTheShortestTextThatParsesBack) {
  EXPECT_EQ(format_size(512u << 20), "512M");
  EXPECT_EQ(format_size(1025), "1025B");
  EXPECT_EQ(format_duration(90'000), "90s");
  EXPECT_EQ(format_duration(86'400'000), "1d");
  EXPECT_EQ(format_cores(1.5), "1.5");
  EXPECT_EQ(format_cores(0.1), "0.1");
}

TEST(Quantities, ComeBackFromTheirText) {
  std::mt19937_64 random(7);
  for (int i = 0; i < 20'000; ++i) {
    const std::uint64_t bytes = 1 + (random() >> (1 + random() % 62));
    EXPECT_EQ(parse_size(format_size(bytes)).value, bytes);
    const std::uint64_t milliseconds = 1 + random() % 9'000'000'000'000;
    EXPECT_EQ(parse_duration(format_duration(milliseconds)).value, milliseconds);
    const double cores = 0.01 + static_cast<double>(random() % 4'000'000) / 1000;
    EXPECT_EQ(parse_cores(format_cores(cores)).value, cores);
  }
}

}  // namespace
}  // namespace jail::profile
