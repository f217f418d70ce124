// Who the plugin is, for everybody who may start it. No plan may come to host uid or gid 0 without `user: root`.
#include "confine/identity.h"

#include <gtest/gtest.h>

#include <limits>

#include "../machine.h"

namespace jail::confine::identity {
namespace {

using Kind = profile::User::Kind;

constexpr Launcher kRoot{.uid = 0, .gid = 0, .groups = {}};
const Launcher kUser{.uid = 1001, .gid = 1001, .groups = {27, 100}};

profile::Setting<profile::User> user(Kind kind, std::string name = {}) {
  return {.value = {.kind = kind, .name = std::move(name)}, .stated = test::line(4)};
}

TEST(IdentityPlan, OfAnOrdinaryUserIsThatUser) {
  const Plan plan = identity::plan({}, kUser, {});
  EXPECT_EQ(plan.problem, "");
  EXPECT_EQ(plan.uid, 1001U);
  EXPECT_EQ(plan.gid, 1001U);
  EXPECT_FALSE(plan.by_root);
}

TEST(IdentityPlan, NamesTheGroupsThatAnOrdinaryUserCannotDrop) {
  EXPECT_EQ(plan({}, kUser, {}).kept_groups, (std::vector<std::uint32_t>{27, 100}));
}

TEST(IdentityPlan, OfRootIsAnIdThatNobodyHas) {
  const Plan plan = identity::plan({}, {.uid = 0, .gid = 0, .groups = {0, 4, 27}}, {});
  EXPECT_EQ(plan.problem, "");
  EXPECT_EQ(plan.uid, kUnprivilegedId);
  EXPECT_EQ(plan.gid, kUnprivilegedId);
  EXPECT_TRUE(plan.by_root);
  EXPECT_TRUE(plan.kept_groups.empty());
  EXPECT_FALSE(find_account(std::to_string(kUnprivilegedId) + ":x"));
}

TEST(IdentityPlan, RootMayNameAnAccount) {
  const Plan plan = identity::plan(user(Kind::Named, "worker"), kRoot, Account{.uid = 500, .gid = 600});
  EXPECT_EQ(plan.problem, "");
  EXPECT_EQ(plan.uid, 500U);
  EXPECT_EQ(plan.gid, 600U);
}

TEST(IdentityPlan, AMissingAccountIsRefusedByItsName) {
  const Plan plan = identity::plan(user(Kind::Named, "nosuch"), kRoot, {});
  EXPECT_NE(plan.problem.find("nosuch"), std::string::npos) << plan.problem;
}

TEST(IdentityPlan, AnAccountThatIsRootInUidOrGroupIsRefused) {
  for (const Account account : {Account{0, 0}, Account{0, 5}, Account{5, 0}})
    EXPECT_NE(plan(user(Kind::Named, "toor"), kRoot, account).problem, "") << account.uid << ":" << account.gid;
}

// -1 means "leave it as it is" to setresuid(2).
TEST(IdentityPlan, TheIdThatMeansNoChangeIsRefused) {
  constexpr std::uint32_t kNoChange = std::numeric_limits<std::uint32_t>::max();
  for (const Account account : {Account{kNoChange, 5}, Account{5, kNoChange}})
    EXPECT_NE(plan(user(Kind::Named, "x"), kRoot, account).problem, "") << account.uid << ":" << account.gid;
}

TEST(IdentityPlan, RootStaysRootOnlyByItsOwnName) {
  const Plan plan = identity::plan(user(Kind::Root), kRoot, {});
  EXPECT_EQ(plan.problem, "");
  EXPECT_EQ(plan.uid, 0U);
}

TEST(IdentityPlan, AnOrdinaryUserCannotBecomeAnother) {
  EXPECT_NE(plan(user(Kind::Root), kUser, {}).problem, "");
  EXPECT_NE(plan(user(Kind::Named, "worker"), kUser, Account{500, 600}).problem, "");
  EXPECT_NE(plan(user(Kind::Named, "nosuch"), kUser, {}).problem, "");
}

TEST(IdentityPlan, AnOrdinaryUserMayNameItself) {
  const Plan plan = identity::plan(user(Kind::Named, "me"), kUser, Account{1001, 1001});
  EXPECT_EQ(plan.problem, "");
  EXPECT_EQ(plan.uid, 1001U);
}

TEST(IdentityPlan, AGroupThatTheUserIsNotInCannotBeHadByNamingOneself) {
  EXPECT_NE(plan(user(Kind::Named, "1001:50"), kUser, Account{1001, 50}).problem, "");
}

TEST(IdentityPlan, AnOrdinaryUserInRootsGroupIsRefused) {
  EXPECT_NE(plan({}, {.uid = 1001, .gid = 0, .groups = {}}, {}).problem, "");
  EXPECT_NE(plan({}, {.uid = 1001, .gid = 1001, .groups = {27, 0}}, {}).problem, "")
      << "a group that cannot be dropped";
}

TEST(IdentityAccount, NumbersStandForThemselves) {
  const auto both = find_account("1234:567");
  ASSERT_TRUE(both);
  EXPECT_EQ(both->uid, 1234U);
  EXPECT_EQ(both->gid, 567U);
  EXPECT_EQ(find_account("1234")->gid, 1234U);
}

TEST(IdentityAccount, WhatIsNearlyANumberIsNone) {
  for (const char* text : {"12x", "12:", ":12", "12:x", "-1", "+1", " 1", "1 ", "0x10", "4294967296", "1:2:3", ""})
    EXPECT_FALSE(find_account(text)) << '"' << text << '"';
}

TEST(IdentityAccount, NamesComeFromTheAccountsFile) {
  const auto root = find_account("root");
  ASSERT_TRUE(root);
  EXPECT_EQ(root->uid, 0U);
  EXPECT_FALSE(find_account("no-such-account-on-any-machine"));
}

}  // namespace
}  // namespace jail::confine::identity
