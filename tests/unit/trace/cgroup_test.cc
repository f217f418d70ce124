#include "trace/cgroup.h"

#include <gtest/gtest.h>

namespace jail::trace {
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

}  // namespace
}  // namespace jail::trace
