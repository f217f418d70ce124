#include "egress/dns_limits.h"

#include <gtest/gtest.h>

namespace jail::egress {
namespace {

int taken(RateLimit& limit, std::uint64_t now) {
  int count = 0;
  while (limit.take(now)) ++count;
  return count;
}

TEST(RateLimit, GivesABurstAndThenSoManyASecond) {
  RateLimit limit(200, 400);
  EXPECT_EQ(taken(limit, 5 * kSecond), 400);
  EXPECT_EQ(taken(limit, 6 * kSecond), 200);
  EXPECT_EQ(taken(limit, 6 * kSecond + kSecond / 4), 50);
  EXPECT_EQ(taken(limit, 100 * kSecond), 400);
}

TEST(NameBudget, CountsDifferentNamesOfAZoneInAMinute) {
  NameBudget budget(2);
  const std::uint64_t now = 1000 * kSecond;
  EXPECT_TRUE(budget.take("example", "a.example", now));
  EXPECT_TRUE(budget.take("example", "b.example", now));
  EXPECT_FALSE(budget.take("example", "c.example", now));
  EXPECT_TRUE(budget.take("example", "a.example", now)) << "it has been told already";
  EXPECT_TRUE(budget.take("other", "c.other", now)) << "each zone has its own";
  EXPECT_FALSE(budget.take("example", "c.example", now + 60 * kSecond - 1));
  EXPECT_TRUE(budget.take("example", "c.example", now + 60 * kSecond));
}

}  // namespace
}  // namespace jail::egress
