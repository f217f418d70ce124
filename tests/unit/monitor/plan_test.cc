// Which source a run has, by profile and machine.
#include "monitor/plan.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "bpf/events.h"

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

TEST(MonitorPlan, HoldsTheKernelsAuditAgainstTheOthersOrTakesItWhereThereIsNone) {
  Support support = full();
  EXPECT_EQ(planned({}, support).audit, KernelAudit::None);
  support.landlock_records = true;
  const Plan beside = planned({}, support), alone = planned(from(MonitorSource::None), support);
  EXPECT_EQ(beside.audit, KernelAudit::Check);
  EXPECT_EQ(source_name(beside), "notify");
  EXPECT_EQ(beside.sources.size(), 1u);
  EXPECT_EQ(alone.audit, KernelAudit::Tell);
  EXPECT_EQ(source_name(alone), "kernel-audit");
  EXPECT_EQ(alone.blind_spots.size(), 1u);
  EXPECT_EQ(planned(of(MonitorFiles::None), support).audit, KernelAudit::None) << "most of it is not wanted";
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
  EXPECT_EQ(plan.traced, (std::vector{Family::Process, Family::Privilege, Family::FileExit}));
  EXPECT_EQ(shares_of(plan).files, Traced::Files::AtExit);
  EXPECT_EQ(plan.addresses, MonitorFiles::All);
  EXPECT_NE(plan.sources[2].find("every process of this machine pays"), std::string::npos) << plan.sources[2];
  EXPECT_EQ(traced(MonitorFiles::None, {}).traced, (std::vector{Family::Process, Family::Privilege}));
}

TEST(MonitorPlan, WhatEndsDeniedIsAskedForWheneverFilesAre) {
  const std::uint32_t always = JAIL_WANT_PROCESS | JAIL_WANT_PRIVILEGE;
  const std::uint32_t denied = always | JAIL_WANT_FAILED, changes = denied | JAIL_WANT_CHANGES;
  EXPECT_EQ(traced(MonitorFiles::Denied, {}).traced_what, denied);
  EXPECT_EQ(traced(MonitorFiles::Changes, {}).traced_what, changes);
  EXPECT_EQ(traced(MonitorFiles::All, {}).traced_what, changes | JAIL_WANT_READS | JAIL_WANT_LOOKS);
  EXPECT_EQ(traced(MonitorFiles::None, {}).traced_what, always);
}

TEST(MonitorPlan, TheRingIsSmallWhereNoFloodsComeButNeverOtherThanStated) {
  EXPECT_EQ(traced(MonitorFiles::All, {}).ring_bytes, 1U << 20);
  EXPECT_EQ(traced(MonitorFiles::Denied, {}).ring_bytes, 1U << 18);
  profile::Monitor wanted = from(MonitorSource::Ebpf);
  wanted.ring = {1U << 24, kLine};
  Support support = full();
  support.trace = trace::Support{};
  EXPECT_EQ(planned(wanted, support).ring_bytes, 1U << 24);
}

Plan chosen(MonitorFiles files, const trace::Support& trace,
            profile::NetworkMode network = profile::NetworkMode::Isolated) {
  Support support = full();
  support.trace = trace;
  return plan(of(files), confine::seccomp::plan({}), support, network);
}

bool is_blind(const Plan& plan, const std::string& spot) {
  return std::ranges::find(plan.blind_spots, spot) != plan.blind_spots.end();
}

const std::string kUnixSockets = "allowed connections to unix sockets";
const std::string kPowers = "power that the filter lets be asked for, and the kernel does not give";

// What asks every process of the machine for a little, such as each capability that is looked at, is not chosen.
TEST(MonitorPlan, ChoosesOnlyWhatNobodyElsePaysFor) {
  const Plan all = chosen(MonitorFiles::All, {}, profile::NetworkMode::Host);
  EXPECT_EQ(all.tracing, Tracing::Chosen);
  EXPECT_EQ(all.traced, (std::vector{Family::Process, Family::Network, Family::NetworkUnix, Family::FileHooks}));
  EXPECT_EQ(all.traced_what & JAIL_WANT_PRIVILEGE, 0U);
  EXPECT_TRUE(is_blind(all, kPowers));
  EXPECT_EQ(all.addresses, MonitorFiles::Denied);
  EXPECT_EQ(source_name(all), "ebpf and notify");
  const Plan without_hooks = chosen(MonitorFiles::All, without(Family::FileHooks));
  EXPECT_EQ(without_hooks.traced, std::vector{Family::Process});
  EXPECT_EQ(without_hooks.sources[2], "files: notify");
  EXPECT_EQ(chosen(MonitorFiles::Denied, {}).traced, std::vector{Family::Process});
  EXPECT_EQ(planned({}).tracing, Tracing::None);
}

TEST(MonitorPlan, GoesOnWithoutWhatItHasChosen) {
  Plan plan = chosen(MonitorFiles::All, without(Family::NetworkUnix), profile::NetworkMode::Host);
  EXPECT_TRUE(is_blind(plan, kUnixSockets));
  leave_out_trace(plan, "no reason");
  EXPECT_TRUE(plan.traced.empty());
  EXPECT_EQ(plan.traced_what, 0U);
  EXPECT_EQ(plan.addresses, std::nullopt);
  EXPECT_FALSE(is_blind(plan, kUnixSockets));
  EXPECT_EQ(source_name(plan), "notify");
  EXPECT_EQ(plan.sources.back(), "no ebpf: no reason");
  EXPECT_EQ(chosen(MonitorFiles::All, without(Family::Process)).layers[0].state, LayerState::Enforced);
}

TEST(MonitorPlan, TracesAddressesInTheHostsNetworkOnly) {
  const Plan plan = traced(MonitorFiles::Denied, {}, profile::NetworkMode::Host);
  EXPECT_EQ(plan.traced, (std::vector{Family::Process, Family::Network, Family::NetworkUnix, Family::Privilege,
                                      Family::FileExit}));
  EXPECT_EQ(plan.addresses, MonitorFiles::Denied);
}

// What a kernel may lack is left out, and said: no run is refused for it.
TEST(MonitorPlan, DoesWithoutWhatOnlyNewerKernelsTell) {
  EXPECT_FALSE(is_blind(traced(MonitorFiles::None, {}, profile::NetworkMode::Host), kUnixSockets));
  const Plan older = traced(MonitorFiles::None, without(Family::NetworkUnix), profile::NetworkMode::Host);
  EXPECT_EQ(older.traced, (std::vector{Family::Process, Family::Network, Family::Privilege}));
  EXPECT_TRUE(is_blind(older, kUnixSockets));
  EXPECT_FALSE(is_blind(older, kPowers));
  const Plan powerless = traced(MonitorFiles::None, without(Family::Privilege));
  EXPECT_EQ(powerless.traced, std::vector{Family::Process});
  EXPECT_TRUE(is_blind(powerless, kPowers));
}

TEST(MonitorPlan, TakesHooksWhereTheEndOfCallsCannotBeHad) {
  EXPECT_EQ(traced(MonitorFiles::Changes, without(Family::FileExit)).traced.back(), Family::FileHooks);
  expect_absent(traced(MonitorFiles::Denied, without(Family::FileExit)), "(file_exit): no reason", true);
}

// No call has an end for each thing that is asked of an io_uring.
TEST(MonitorPlan, TakesHooksWhereTheFilterLetsRingsBe) {
  profile::Syscalls calls;
  calls.allow = {{"io_uring_setup", kLine}};
  profile::Monitor wanted = from(MonitorSource::Ebpf);
  wanted.files = {MonitorFiles::All, kLine};
  const auto with = [&](const trace::Support& trace) {
    Support support = full();
    support.trace = trace;
    return planned(wanted, support, calls);
  };
  const std::string rings = "files that an io_uring opens or changes";
  EXPECT_EQ(with({}).traced.back(), Family::FileHooks);
  EXPECT_FALSE(is_blind(with({}), rings));
  const Plan without_hooks = with(without(Family::FileHooks));
  EXPECT_EQ(without_hooks.traced.back(), Family::FileExit);
  EXPECT_TRUE(is_blind(without_hooks, rings));
  EXPECT_FALSE(is_blind(traced(MonitorFiles::All, without(Family::FileHooks)), rings));
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
