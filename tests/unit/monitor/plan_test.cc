// Which source a run has, by profile and machine.
#include "monitor/plan.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace jail::monitor {
namespace {

using confine::LayerState;
using profile::MonitorFiles;
using profile::MonitorSource;

const profile::Place kLine{"crm.yaml", 7, 3};

Support full() {
  Support support;
  support.seccomp.filter = support.seccomp.notify = support.seccomp.wait_killable = true;
  return support;
}

Plan planned(const profile::Monitor& wanted, const Support& support = full(), const profile::Syscalls& calls = {}) {
  return plan(wanted, confine::seccomp::plan(calls), support);
}

profile::Monitor from(MonitorSource source) {
  profile::Monitor wanted;
  wanted.source = {source, kLine};
  return wanted;
}

profile::Monitor of(MonitorFiles files) {
  profile::Monitor wanted;
  wanted.files = {files, kLine};
  return wanted;
}

TEST(MonitorPlan, WatchesByDefault) {
  const Plan plan = planned({});
  EXPECT_EQ(plan.source, Source::Notify);
  EXPECT_EQ(plan.files, MonitorFiles::Denied);
  EXPECT_FALSE(plan.blind_spots.empty());
  ASSERT_EQ(plan.layers.size(), 1u);
  EXPECT_EQ(plan.layers[0].state, LayerState::Enforced);
  EXPECT_EQ(plan.layers[0].asked_by, std::nullopt);
}

TEST(MonitorPlan, IsNothingWhereNothingIsWanted) {
  const Plan plan = planned(from(MonitorSource::None));
  EXPECT_EQ(plan.source, Source::None);
  EXPECT_TRUE(plan.layers.empty());
  EXPECT_TRUE(plan.blind_spots.empty());
}

TEST(MonitorPlan, SaysOfFilesNobodyWatchesThatTheyAreNotSeen) {
  const Plan plan = planned(of(MonitorFiles::None));
  EXPECT_EQ(plan.source, Source::Notify);
  EXPECT_EQ(plan.blind_spots.front(), "files: not watched");
}

TEST(MonitorPlan, SaysWhatOnlyAllAsksFor) {
  const auto& spots = planned(of(MonitorFiles::All)).blind_spots;
  EXPECT_EQ(planned(of(MonitorFiles::Denied)).blind_spots.size(), spots.size() + 1);
  for (const std::string& spot : spots) EXPECT_EQ(spot.find("AT_EMPTY_PATH"), std::string::npos);
}

void expect_absent(const Plan& plan, std::string_view reason, bool asked) {
  EXPECT_EQ(plan.source, Source::None);
  ASSERT_EQ(plan.layers.size(), 1u);
  EXPECT_EQ(plan.layers[0].state, LayerState::Absent);
  EXPECT_NE(plan.layers[0].reason.find(reason), std::string::npos) << plan.layers[0].reason;
  EXPECT_EQ(plan.layers[0].asked_by.has_value(), asked);
}

using trace::Family;

Plan traced(MonitorFiles files, const trace::Support& trace,
            profile::NetworkMode network = profile::NetworkMode::Isolated) {
  profile::Monitor wanted = from(MonitorSource::Ebpf);
  wanted.files = {files, kLine};
  Support support = full();
  support.trace = trace;
  return plan(wanted, confine::seccomp::plan({}), support, network);
}

trace::Support without(Family family) {
  trace::Support support;
  support.missing[trace::index_of(family)] = "no reason";
  return support;
}

TEST(MonitorPlan, TracesWhereItIsAskedTo) {
  const Plan plan = traced(MonitorFiles::All, {});
  EXPECT_EQ(plan.source, Source::Notify);
  EXPECT_EQ(source_name(plan), "ebpf");
  EXPECT_EQ(plan.traced, (std::vector{Family::Process, Family::Privilege, Family::FileHooks}));
  EXPECT_EQ(plan.ring_bytes, 1U << 20);
  EXPECT_EQ(told_by_source(plan), MonitorFiles::Denied);
  EXPECT_EQ(plan.addresses, MonitorFiles::All);
  EXPECT_EQ(traced(MonitorFiles::Denied, {}).traced, (std::vector{Family::Process, Family::Privilege}));
}

TEST(MonitorPlan, TracesAddressesInTheHostsNetworkOnly) {
  const Plan plan = traced(MonitorFiles::Denied, {}, profile::NetworkMode::Host);
  EXPECT_EQ(plan.traced,
            (std::vector{Family::Process, Family::Network, Family::NetworkUnix, Family::Privilege}));
  EXPECT_EQ(plan.addresses, std::nullopt);
}

// What a kernel may lack is left out, and said: no run is refused for it.
TEST(MonitorPlan, DoesWithoutWhatOnlyNewerKernelsTell) {
  const std::string unix_sockets = "allowed connections to unix sockets";
  const auto says = [&](const Plan& plan, const std::string& spot) {
    return std::ranges::find(plan.blind_spots, spot) != plan.blind_spots.end();
  };
  EXPECT_FALSE(says(traced(MonitorFiles::Denied, {}, profile::NetworkMode::Host), unix_sockets));
  const Plan older = traced(MonitorFiles::Denied, without(Family::NetworkUnix), profile::NetworkMode::Host);
  EXPECT_EQ(older.traced, (std::vector{Family::Process, Family::Network, Family::Privilege}));
  EXPECT_TRUE(says(older, unix_sockets));
  const Plan powerless = traced(MonitorFiles::Denied, without(Family::Privilege));
  EXPECT_EQ(powerless.traced, std::vector{Family::Process});
  EXPECT_TRUE(says(powerless, "power that the filter lets be asked for, and the kernel does not give"));
}

TEST(MonitorPlan, TakesTheDearWayToFilesWhereThereIsNoOther) {
  const Plan plan = traced(MonitorFiles::Changes, without(Family::FileHooks));
  EXPECT_EQ(plan.traced.back(), Family::FileExit);
  const auto is_dear = [](const std::string& source) {
    return source.find("every process of this machine pays") != std::string::npos;
  };
  EXPECT_TRUE(std::ranges::any_of(plan.sources, is_dear));
}

TEST(MonitorPlan, TracesNothingWhereAFamilyIsMissing) {
  expect_absent(traced(MonitorFiles::Denied, without(Family::Process)), "(process): no reason", true);
  expect_absent(planned(from(MonitorSource::Ebpf)), "eBPF was not looked at", true);
  EXPECT_EQ(traced(MonitorFiles::Denied, without(Family::Network)).source, Source::Notify);
}

TEST(MonitorPlan, IsAbsentWhereTheKernelOrAJailAroundItLeavesNone) {
  Support support = full();
  support.listener = Listener::Taken;
  expect_absent(planned({}, support), "denied, not logged", false);
  expect_absent(planned(from(MonitorSource::Notify), support), "denied, not logged", true);
  expect_absent(planned(of(MonitorFiles::All), support), "denied, not logged", true);
  expect_absent(planned({}, {}), "Linux 5.0", false);
}

TEST(MonitorPlan, IsAbsentWhereItsListenerCannotBeHandedOver) {
  profile::Syscalls calls;
  calls.deny = {{"write", kLine}};
  expect_absent(planned({}, full(), calls), "denies write", false);
}

TEST(MonitorPlan, IsPartialWhereASignalRepeatsACall) {
  Support support = full();
  support.seccomp.wait_killable = false;
  const Plan plan = planned({}, support);
  EXPECT_EQ(plan.source, Source::Notify);
  EXPECT_EQ(plan.layers.at(0).state, LayerState::Partial);
}

TEST(MonitorPlan, LacksWhatIsNotBuilt) {
  expect_absent(planned(from(MonitorSource::Ebpf)), "eBPF", true);
}

TEST(MonitorPlan, WhoActsOnLossNeedsTheListener) {
  profile::Monitor kill;
  kill.on_loss = {profile::OnLoss::Kill, kLine};
  EXPECT_EQ(planned(kill).source, Source::Notify);
  Support support = full();
  support.listener = Listener::Taken;
  expect_absent(planned(kill, support), "denied, not logged", true);
}

}  // namespace
}  // namespace jail::monitor
