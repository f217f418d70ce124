#include "confine/limits.h"

#include <sys/resource.h>

#include "base/error.h"

namespace jail::confine::limits {
namespace {

// 0 would not stop a core handler behind a pipe; 1 is the value the kernel itself refuses to pipe for (SECURITY D3).
constexpr std::uint64_t kNoCore = 1;
// At its hard limit a process is killed without SIGXCPU (setrlimit(2)), and the run would look killed by somebody.
constexpr std::uint64_t kSecondsToNotice = 1;

std::uint64_t whole_seconds(std::uint64_t ms) { return (ms + 999) / 1000; }

Layer layer(std::string_view name, const std::optional<profile::Place>& stated, LayerState state = LayerState::Enforced,
            std::string reason = {}) {
  return {.name = name, .state = state, .reason = std::move(reason), .asked_by = stated};
}

void plan_memory(const profile::Limits& wanted, Plan& plan) {
  if (!wanted.memory.value) {
    plan.layers.push_back(
        layer("limits.memory", {}, LayerState::Absent, "no control group, and the profile states none"));
    return;
  }
  plan.rlimits.push_back({RLIMIT_DATA, *wanted.memory.value});
  plan.layers.push_back(layer("limits.memory", wanted.memory.stated, LayerState::Partial,
                              "no control group: each process's data is limited, not their sum; memfd, /dev/shm and "
                              "files are not counted"));
}

}  // namespace

Plan plan(const profile::Limits& wanted) {
  Plan plan;
  plan.rlimits = {
      {RLIMIT_CORE, kNoCore}, {RLIMIT_NPROC, wanted.pids.value + kInitProcess}, {RLIMIT_NOFILE, wanted.files.value}};
  plan.layers = {layer("limits.core", {}), layer("limits.files", wanted.files.stated), layer("limits.temporary", {}),
                 layer("limits.pids", wanted.pids.stated, LayerState::Partial,
                       "no control group: counted by RLIMIT_NPROC in the jail's user namespace")};
  plan_memory(wanted, plan);
  if (wanted.file_size.value) {
    plan.rlimits.push_back({RLIMIT_FSIZE, *wanted.file_size.value});
    plan.layers.push_back(layer("limits.file_size", wanted.file_size.stated));
  }
  if (wanted.cpu_time_ms.value) {
    plan.rlimits.push_back({RLIMIT_CPU, whole_seconds(*wanted.cpu_time_ms.value), kSecondsToNotice});
    plan.layers.push_back(layer("limits.cpu_time", wanted.cpu_time_ms.stated, LayerState::Partial,
                                "counted for each process, not for their sum"));
  }
  if (wanted.time_ms.value) plan.layers.push_back(layer("limits.time", wanted.time_ms.stated));
  if (wanted.cpu.value)
    plan.layers.push_back(layer("limits.cpu", wanted.cpu.stated, LayerState::Absent, "no control group"));
  return plan;
}

void enforce(const Plan& plan) {
  for (const sys::Limit& limit : plan.rlimits) sys::set_limit(limit);
}

bool verify(const Plan& plan) {
  for (const sys::Limit& limit : plan.rlimits) {
    rlimit current{};
    check(::getrlimit(static_cast<__rlimit_resource_t>(limit.resource), &current), "getrlimit");
    if (current.rlim_cur > limit.value || current.rlim_max > limit.value + limit.beyond) return false;
  }
  return true;
}

}  // namespace jail::confine::limits
