// The records of a run as its log will have them.
#include "run/record.h"

#include <gtest/gtest.h>

#include "../machine.h"

namespace jail::run {
namespace {

using test::line;

Plan sample_plan() {
  Plan plan;
  plan.identity = {.uid = 1001, .gid = 1002, .by_root = false, .kept_groups = {27}, .problem = {}};
  plan.layers = {{.name = "landlock", .state = confine::LayerState::Partial, .reason = "old", .asked_by = line(3)},
                 {.name = "proc", .state = confine::LayerState::Enforced, .reason = {}, .asked_by = {}}};
  return plan;
}

TEST(StartedRecord, SaysWhoRunsWhatAndHowFarEachLayerHolds) {
  Prepared prepared;
  prepared.path = "/etc/jail/profiles/crm.yaml";
  Wanted wanted;
  wanted.command = {"tool", "--flag"};
  const event::Event event = started_record(prepared, sample_plan(), wanted);
  const auto& record = std::get<event::RunStarted>(event.body);
  EXPECT_EQ(record.command, wanted.command);
  EXPECT_EQ(record.profile_path, prepared.path);
  EXPECT_EQ(record.user.uid, 1001U);
  EXPECT_EQ(record.user.gid, 1002U);
  EXPECT_EQ(record.user.groups, std::vector<std::uint32_t>{27});
  ASSERT_EQ(record.policy.size(), 2U);
  EXPECT_EQ(record.policy[0].name, "landlock");
  EXPECT_EQ(record.policy[0].state, event::LayerState::Partial);
  EXPECT_EQ(record.policy[0].reason, "old");
  EXPECT_EQ(record.policy[0].asked_by, "plugin.yaml:3:3");
  EXPECT_EQ(record.plan_digest.size(), 64U);
  EXPECT_FALSE(record.kernel.empty());
}

TEST(StartedRecord, TellsPlansApartByTheirDigest) {
  Plan other = sample_plan();
  other.view.cwd = "/elsewhere";
  const auto digest = [](const Plan& plan) {
    return std::get<event::RunStarted>(started_record({}, plan, {}).body).plan_digest;
  };
  EXPECT_NE(digest(sample_plan()), digest(other));
  EXPECT_EQ(digest(sample_plan()), digest(sample_plan()));
}

TEST(RefusedRecord, OfOneReasonIsThatReason) {
  const event::RunRefused record = refused_record({{"userns", "no such user", "name another", {}}});
  EXPECT_EQ(record.layer, "userns");
  EXPECT_EQ(record.reason, "no such user");
  EXPECT_EQ(record.hint, "name another");
  EXPECT_TRUE(record.faults.empty());
}

TEST(RefusedRecord, OfSeveralNamesEachWithItsLine) {
  const event::RunRefused record =
      refused_record({{"net", "not built", "take it out", line(4)}, {"audit", "not built", {}, line(9)}});
  ASSERT_EQ(record.faults.size(), 2U);
  EXPECT_EQ(record.faults[0].place, "plugin.yaml:4:3");
  EXPECT_EQ(record.faults[1].place, "plugin.yaml:9:3");
  EXPECT_NE(record.faults[1].message.find("audit"), std::string::npos);
}

TEST(FaultsOf, LeavesWarningsOut) {
  using Severity = profile::Diagnostic::Severity;
  const auto faults =
      faults_of({{Severity::Warning, line(1), "careful", {}}, {Severity::Error, line(2), "wrong", "right"}});
  ASSERT_EQ(faults.size(), 1U);
  EXPECT_EQ(faults[0].message, "wrong");
  EXPECT_EQ(faults[0].hint, "right");
}

TEST(LeaveOut, SaysSoInThePolicyAndChangesNothingElse) {
  Plan plan = sample_plan();
  leave_out(plan, "proc", "the container masks it");
  EXPECT_EQ(plan.layers[1].state, confine::LayerState::Absent);
  EXPECT_EQ(plan.layers[1].reason, "the container masks it");
  EXPECT_EQ(plan.layers[0].state, confine::LayerState::Partial);
}

TEST(ProfileDigest, DependsOnEveryFileThatHadAPartAndOnTheirOrder) {
  profile::Profile one, other;
  one.sources = {{"/a.yaml", std::string(64, 'a')}, {"/b.yaml", std::string(64, 'b')}};
  other.sources = {{"/b.yaml", std::string(64, 'b')}, {"/a.yaml", std::string(64, 'a')}};
  EXPECT_EQ(digest_of(one).size(), 64U);
  EXPECT_NE(digest_of(one), digest_of(other));
  EXPECT_NE(digest_of(one), digest_of({}));
}

}  // namespace
}  // namespace jail::run
