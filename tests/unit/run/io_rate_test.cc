#include "run/io_rate.h"

#include <gtest/gtest.h>

namespace jail::run {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;

std::string moved(std::uint64_t read, std::uint64_t written) {
  return "7:0 rbytes=" + std::to_string(read) + " wbytes=" + std::to_string(written) + " rios=1 wios=1 dbytes=9 dios=1";
}

TEST(IoRate, IsMetByWhoMovesWhatIsAllowedOnOneDevice) {
  IoRate rate(1000, "", 0);
  EXPECT_FALSE(rate.is_met("", kSecond));
  EXPECT_TRUE(rate.is_met(moved(960, 0), 2 * kSecond));
  EXPECT_FALSE(rate.is_met(moved(960, 0), 3 * kSecond));
  EXPECT_TRUE(rate.is_met(moved(960, 4800), 8 * kSecond));
  EXPECT_FALSE(rate.is_met(moved(1760, 5600), 9 * kSecond)) << "reading and writing count apart";
  EXPECT_FALSE(rate.is_met("8:0 rbytes=600 wbytes=0 rios=1\n" + moved(2360, 5600), 10 * kSecond)) << "so do devices";
  EXPECT_TRUE(rate.is_met("8:0 rbytes=600 wbytes=960 rios=1\n" + moved(2360, 5600), 11 * kSecond));
}

TEST(IoRate, WhatIsLetThroughAtOnceIsNoneOfIt) {
  IoRate rate(1000, moved(5000, 0), 0);
  EXPECT_FALSE(rate.is_met(moved(5100, 0), kSecond / 10)) << "sooner than a span";
  EXPECT_FALSE(rate.is_met(moved(5400, 0), kSecond / 2)) << "of the whole span, not since the look that came too soon";
  EXPECT_FALSE(rate.is_met(moved(0, 0), 2 * kSecond)) << "a device that counts anew";
}

}  // namespace
}  // namespace jail::run
