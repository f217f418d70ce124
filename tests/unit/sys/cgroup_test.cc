#include "sys/cgroup.h"

#include <gtest/gtest.h>

namespace jail::sys {
namespace {

TEST(GroupOf, TheLineOfVersionTwo) {
  EXPECT_EQ(group_of("0::/user.slice/session-1.scope\n"), "/user.slice/session-1.scope");
  EXPECT_EQ(group_of("4:memory:/a\n1:name=systemd:/b\n0::/c\n"), "/c");
  EXPECT_EQ(group_of("0::/\n"), "");
}

TEST(GroupOf, NoneWithoutIt) {
  EXPECT_EQ(group_of(""), std::nullopt);
  EXPECT_EQ(group_of("4:memory:/a\n10::/not\n"), std::nullopt);
}

TEST(KeyedNumber, TheOneBehindItsKey) {
  const std::string events = "low 0\nhigh 0\nmax 17\noom 2\noom_kill 3\noom_group_kill 1";
  EXPECT_EQ(keyed_number(events, "oom"), 2U);
  EXPECT_EQ(keyed_number(events, "oom_kill"), 3U);
  EXPECT_EQ(keyed_number(events, "oom_group_kill"), 1U);
  EXPECT_EQ(keyed_number(events, "low"), 0U);
}

TEST(KeyedNumber, NoneWhereThereIsNoSuchKeyOrNoNumber) {
  EXPECT_EQ(keyed_number("", "max"), std::nullopt);
  EXPECT_EQ(keyed_number("max", "max"), std::nullopt);
  EXPECT_EQ(keyed_number("max many", "max"), std::nullopt);
  EXPECT_EQ(keyed_number("oom_kill 3", "oom"), std::nullopt);
  EXPECT_EQ(keyed_number("max 3x", "max"), std::nullopt);
}

}  // namespace
}  // namespace jail::sys
