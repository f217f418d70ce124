#include "broker/trust.h"

#include <gtest/gtest.h>

namespace jail::broker {
namespace {

constexpr std::uint32_t kUser = 1000;
const jail_task kOwn{.process = 7, .thread = 7, .parent = 1, .uid = 0, .euid = 0, .flags = 0,
                     .pid_space = 10, .pid_space_level = 0, .pid_in_space = 7, .user_space = 20};
const jail_task kPeer{.process = 50, .thread = 50, .parent = 40, .uid = kUser, .euid = kUser, .flags = 0,
                      .pid_space = 10, .pid_space_level = 0, .pid_in_space = 50, .user_space = 20};
const jail_task kChild{.process = 60, .thread = 60, .parent = 50, .uid = kUser, .euid = kUser,
                       .flags = JAIL_TASK_NOT_EXECUTED,
                       .pid_space = 11, .pid_space_level = 1, .pid_in_space = 1, .user_space = 21};

template <typename Change>
std::string peer_with(Change change) {
  jail_task thread = kPeer;
  change(thread);
  return why_not_served({kPeer, thread}, kUser, kOwn);
}

template <typename Change>
std::string child_with(Change change) {
  jail_task child = kChild;
  change(child);
  return why_not_taken({child}, kPeer, kOwn);
}

TEST(Trust, WhoMayAsk) { EXPECT_EQ(why_not_served({kPeer}, kUser, kOwn), ""); }

TEST(Trust, NobodyOfWhomOneThreadIsJailed) {
  EXPECT_NE(why_not_served({}, kUser, kOwn), "");
  EXPECT_NE(why_not_served({kPeer}, kUser + 1, kOwn), "");
  EXPECT_NE(peer_with([](jail_task& task) { task.uid = 0; }), "");
  EXPECT_NE(peer_with([](jail_task& task) { task.euid = 0; }), "");
  EXPECT_NE(peer_with([](jail_task& task) { task.pid_space = 11; }), "");
  EXPECT_NE(peer_with([](jail_task& task) { task.user_space = 21; }), "");
  for (const std::uint32_t flag : {JAIL_TASK_NO_NEW_PRIVILEGES, JAIL_TASK_FILTERED, JAIL_TASK_IN_JAIL_GROUP})
    EXPECT_NE(peer_with([flag](jail_task& task) { task.flags |= flag; }), "") << flag;
}

TEST(Trust, WhoMayBeTaken) { EXPECT_EQ(why_not_taken({kChild}, kPeer, kOwn), ""); }

TEST(Trust, OnlyTheFirstOfItsNamespaceForkedByThePeer) {
  EXPECT_NE(why_not_taken({}, kPeer, kOwn), "");
  EXPECT_NE(why_not_taken({kChild, kChild}, kPeer, kOwn), "");
  EXPECT_NE(child_with([](jail_task& task) { task.parent = 40; }), "");
  EXPECT_NE(child_with([](jail_task& task) { task.flags = 0; }), "");
  EXPECT_NE(child_with([](jail_task& task) { task.uid = task.euid = 0; }), "");
  EXPECT_NE(child_with([](jail_task& task) { task.pid_space = kOwn.pid_space; }), "");
  EXPECT_NE(child_with([](jail_task& task) { task.pid_space_level = 2; }), "");
  EXPECT_NE(child_with([](jail_task& task) { task.pid_in_space = 2; }), "");
}

TEST(Trust, WhoComesAfterTheFirstIsForkedIntoItsNamespace) {
  jail_task second = kChild;
  second.pid_in_space = 2;
  EXPECT_EQ(why_not_joined({second}, kPeer, kChild.pid_space), "");
  EXPECT_NE(why_not_joined({second}, kPeer, kChild.pid_space + 1), "");
  EXPECT_NE(why_not_joined({}, kPeer, kChild.pid_space), "");
  second.flags = 0;
  EXPECT_NE(why_not_joined({second}, kPeer, kChild.pid_space), "");
  second = kChild;
  second.parent = 40;
  EXPECT_NE(why_not_joined({second}, kPeer, kChild.pid_space), "");
}

}  // namespace
}  // namespace jail::broker
