#include "confine/limits.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <optional>

#include "../../scratch.h"
#include "../machine.h"

namespace jail::confine::limits {
namespace {

using test::line;

std::optional<std::uint64_t> value_of(const Plan& plan, int resource) {
  for (const sys::Limit& limit : plan.rlimits)
    if (limit.resource == resource) return limit.value;
  return std::nullopt;
}

const Layer* layer_of(const Plan& plan, std::string_view name) {
  for (const Layer& layer : plan.layers)
    if (layer.name == name) return &layer;
  return nullptr;
}

TEST(LimitsPlan, HoldsSafeValuesWhereTheProfileSaysNothing) {
  const Plan plan = limits::plan({});
  EXPECT_EQ(value_of(plan, RLIMIT_NPROC), 257U) << "256 and pid 1, which the plugin does not know of";
  EXPECT_EQ(value_of(plan, RLIMIT_NOFILE), 1024U);
  EXPECT_EQ(value_of(plan, RLIMIT_DATA), std::nullopt);
  EXPECT_EQ(value_of(plan, RLIMIT_FSIZE), std::nullopt);
  EXPECT_EQ(value_of(plan, RLIMIT_CPU), std::nullopt);
}

// With 0 the kernel still starts a core handler behind a pipe (core(5)); 1 is what it refuses to pipe for.
TEST(LimitsPlan, KeepsCoreHandlersFromBeingStarted) { EXPECT_EQ(value_of(limits::plan({}), RLIMIT_CORE), 1U); }

TEST(LimitsPlan, NeverLimitsAddressSpace) {
  profile::Limits wanted;
  wanted.memory.value = 1 << 20;
  EXPECT_EQ(value_of(limits::plan(wanted), RLIMIT_AS), std::nullopt);
  EXPECT_EQ(value_of(limits::plan(wanted), RLIMIT_DATA), 1U << 20);
}

TEST(LimitsPlan, TakesWhatTheProfileStates) {
  profile::Limits wanted;
  wanted.pids = {5, line(3)};
  wanted.files = {64, line(4)};
  wanted.file_size = {1000, line(5)};
  const Plan plan = limits::plan(wanted);
  EXPECT_EQ(value_of(plan, RLIMIT_NPROC), 6U);
  EXPECT_EQ(value_of(plan, RLIMIT_NOFILE), 64U);
  EXPECT_EQ(value_of(plan, RLIMIT_FSIZE), 1000U);
  EXPECT_EQ(layer_of(plan, "limits.pids")->asked_by, line(3));
  EXPECT_EQ(layer_of(plan, "limits.files")->asked_by, line(4));
  EXPECT_EQ(layer_of(plan, "limits.file_size")->asked_by, line(5));
}

TEST(LimitsPlan, ProcessorTimeIsRoundedUpToWholeSeconds) {
  for (const auto& [ms, seconds] : {std::pair{1U, 1U}, {1000U, 1U}, {1001U, 2U}, {20000U, 20U}}) {
    profile::Limits wanted;
    wanted.cpu_time_ms.value = ms;
    EXPECT_EQ(value_of(limits::plan(wanted), RLIMIT_CPU), seconds) << ms;
  }
}

// At the hard limit the kernel sends SIGKILL and never SIGXCPU (setrlimit(2)): the run would end as killed by nobody.
TEST(LimitsPlan, LeavesRoomAboveTheProcessorTimeForTheSignalThatTells) {
  profile::Limits wanted;
  wanted.cpu_time_ms.value = 1000;
  for (const sys::Limit& limit : limits::plan(wanted).rlimits)
    EXPECT_EQ(limit.beyond, limit.resource == RLIMIT_CPU ? 1U : 0U) << limit.resource;
}

TEST(LimitsPlan, SaysWhatWithoutAControlGroupIsOnlyPartOfThePromise) {
  profile::Limits wanted;
  wanted.memory = {1 << 20, line(2)};
  wanted.cpu_time_ms = {1000, line(3)};
  const Plan plan = limits::plan(wanted);
  for (const char* name : {"limits.pids", "limits.memory", "limits.cpu_time"}) {
    EXPECT_EQ(layer_of(plan, name)->state, LayerState::Partial) << name;
    EXPECT_FALSE(layer_of(plan, name)->reason.empty()) << name;
  }
  for (const char* name : {"limits.core", "limits.files", "limits.temporary"})
    EXPECT_EQ(layer_of(plan, name)->state, LayerState::Enforced) << name;
}

TEST(LimitsPlan, SharesOfAProcessorAreAbsentAndNameTheLineThatAsks) {
  profile::Limits wanted;
  wanted.cpu = {1.5, line(7)};
  const Plan plan = limits::plan(wanted);
  const Layer* layer = layer_of(plan, "limits.cpu");
  ASSERT_NE(layer, nullptr);
  EXPECT_EQ(layer->state, LayerState::Absent);
  EXPECT_EQ(layer->asked_by, line(7));
  EXPECT_EQ(layer_of(limits::plan({}), "limits.cpu"), nullptr);
}

TEST(LimitsPlan, AMemoryLimitThatNobodyStatedIsAbsentWithoutALine) {
  const Plan plan = limits::plan({});
  ASSERT_NE(layer_of(plan, "limits.memory"), nullptr);
  EXPECT_EQ(layer_of(plan, "limits.memory")->state, LayerState::Absent);
  EXPECT_EQ(layer_of(plan, "limits.memory")->asked_by, std::nullopt);
}

const sys::delegation::Support kGroup{
    .controllers = sys::delegation::kAll, .why = {}, .ram = 8ULL << 30, .counts_swap = true};

TEST(LimitsPlan, AControlGroupHoldsTheWholeJail) {
  profile::Limits wanted;
  wanted.memory = {5'000'000, line(2)};
  wanted.pids = {20, line(3)};
  wanted.cpu = {0.25, line(4)};
  const Plan plan = limits::plan(wanted, kGroup);
  for (const char* name : {"limits.memory", "limits.pids", "limits.cpu"})
    EXPECT_EQ(layer_of(plan, name)->state, LayerState::Enforced) << name;
  EXPECT_EQ(value_of(plan, RLIMIT_DATA), std::nullopt);
  EXPECT_EQ(value_of(plan, RLIMIT_NPROC), 22U) << "further out, so that the group counts who meets its own";
  std::string all;
  for (const Setting& setting : settings_of(plan.of_group)) all += std::string(setting.file) + "=" + setting.text + " ";
  EXPECT_EQ(all, "memory.oom.group=1 memory.swap.max=0 memory.max=4997120 pids.max=21 cpu.max=25000 100000 ");
}

TEST(LimitsPlan, WhatIsReadAndWrittenIsHeldOnEachDisk) {
  profile::Limits wanted;
  wanted.io = {20U << 20, line(5)};
  EXPECT_EQ(needed(wanted), unsigned{sys::delegation::kIo});
  sys::delegation::Support group = kGroup;
  EXPECT_EQ(layer_of(limits::plan(wanted, group), "limits.io")->state, LayerState::Absent);
  group.controllers |= sys::delegation::kIo;
  const Plan plan = limits::plan(wanted, group);
  EXPECT_EQ(layer_of(plan, "limits.io")->state, LayerState::Enforced);
  EXPECT_EQ(layer_of(plan, "limits.io")->asked_by, line(5));
  EXPECT_EQ(needed(OfGroup{.memory = {}, .pids = {}, .millicpu = {}, .io = plan.of_group.io}),
            unsigned{sys::delegation::kIo});
  std::string all;
  for (const Setting& setting : settings_of(plan.of_group, {"8:0", "7:3"}))
    if (setting.layer == "limits.io") all += std::string(setting.file) + "=" + setting.text + "|";
  EXPECT_EQ(all, "io.max=8:0 rbps=20971520 wbps=20971520|io.max=7:3 rbps=20971520 wbps=20971520|");
  EXPECT_EQ(layer_of(limits::plan({}, group), "limits.io"), nullptr) << "there is no default";
}

// A file that says what a kernel's would, with more lines and more in each than was written.
TEST(LimitsApply, WhatStandsBeginsWithWhatWasWritten) {
  class Pretended : public sys::HeldGroup {
   public:
    explicit Pretended(const std::string& path) : path_(path), folder_(::open(path.c_str(), O_RDONLY | O_DIRECTORY)) {}
    [[nodiscard]] const Fd& folder() const override { return folder_; }
    [[nodiscard]] const std::string& path() const override { return path_; }
    int write(const char* name, std::string_view text) const noexcept override {
      return text.starts_with("9:9") ? ENODEV : ::faccessat(folder_.get(), name, F_OK, 0) == 0 ? 0 : ENOENT;
    }

   private:
    std::string path_;
    Fd folder_;
  };
  const test::Scratch scratch;
  std::ofstream(scratch.path() + "/io.max") << "8:0 rbps=1 wbps=1 riops=max wiops=max\n7:3 rbps=20 wbps=20 riops=max "
                                               "wiops=max\n";
  std::ofstream(scratch.path() + "/pids.max") << "210\n";
  const Pretended group(scratch.path());
  EXPECT_EQ(apply({"limits.io", "io.max", "7:3 rbps=20 wbps=20"}, group), "");
  EXPECT_NE(apply({"limits.io", "io.max", "7:3 rbps=20 wbps=2"}, group), "");
  EXPECT_NE(apply({"limits.io", "io.max", "7:33 rbps=20 wbps=20"}, group), "");
  EXPECT_EQ(apply({"limits.io", "io.max", "9:9 rbps=20 wbps=20"}, group), "") << "a disk that has gone";
  EXPECT_EQ(apply({"limits.pids", "pids.max", "210"}, group), "");
  EXPECT_NE(apply({"limits.pids", "pids.max", "21"}, group), "");
}

TEST(LimitsPlan, InAControlGroupMemoryHasALimitByDefault) {
  const Plan plan = limits::plan({}, kGroup);
  EXPECT_EQ(plan.of_group.memory, 6ULL << 30);
  EXPECT_EQ(plan.of_group.pids, 256U);
  EXPECT_EQ(plan.of_group.millicpu, std::nullopt);
  EXPECT_EQ(layer_of(plan, "limits.memory")->state, LayerState::Enforced);
}

TEST(LimitsPlan, EachControllerCountsForItself) {
  profile::Limits wanted;
  wanted.memory.value = 1 << 20;
  wanted.cpu.value = 1;
  sys::delegation::Support pids_only = kGroup;
  pids_only.controllers = sys::delegation::kPids;
  pids_only.why = "no more";
  const Plan plan = limits::plan(wanted, pids_only);
  EXPECT_EQ(layer_of(plan, "limits.pids")->state, LayerState::Enforced);
  EXPECT_EQ(layer_of(plan, "limits.memory")->state, LayerState::Partial);
  EXPECT_NE(layer_of(plan, "limits.memory")->reason.find("no control group (no more)"), std::string::npos);
  EXPECT_EQ(layer_of(plan, "limits.cpu")->state, LayerState::Absent);
  EXPECT_EQ(value_of(plan, RLIMIT_DATA), 1U << 20);
}

TEST(LimitsPlan, SwapThatIsNotCountedIsSaid) {
  sys::delegation::Support group = kGroup;
  group.counts_swap = false;
  EXPECT_EQ(layer_of(limits::plan({}, group), "limits.memory")->state, LayerState::Partial);
}

TEST(LimitsPlan, AShareTheKernelDoesNotKnowIsTheLeastItKnows) {
  EXPECT_EQ(settings_of({.memory = {}, .pids = {}, .millicpu = 1, .io = {}}).front().text, "1000 100000");
}

TEST(LimitsPlan, WallTimeIsALayerOnlyWhereItIsStated) {
  profile::Limits wanted;
  wanted.time_ms = {30000, line(9)};
  const Plan plan = limits::plan(wanted);
  EXPECT_EQ(layer_of(plan, "limits.time")->asked_by, line(9));
  EXPECT_EQ(layer_of(limits::plan({}), "limits.time"), nullptr);
}

}  // namespace
}  // namespace jail::confine::limits
