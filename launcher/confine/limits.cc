#include "confine/limits.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/error.h"
#include "sys/cgroup.h"

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

std::string without_group(const sys::delegation::Support& group) { return "no control group (" + group.why + ")"; }

void plan_memory(const profile::Limits& wanted, const sys::delegation::Support& group, Plan& plan) {
  const bool known = wanted.memory.value || group.ram != 0;  // how much it is to be
  const bool held = known && (group.controllers & sys::delegation::kMemory) != 0;
  if (held) plan.of_group.memory = wanted.memory.value.value_or(group.ram / 4 * 3);
  if (held && group.counts_swap) {
    plan.layers.push_back(layer("limits.memory", wanted.memory.stated));
  } else if (held) {
    plan.layers.push_back(layer("limits.memory", wanted.memory.stated, LayerState::Partial,
                                "this kernel does not count swap: what is swapped out is not limited"));
  } else if (wanted.memory.value) {
    plan.rlimits.push_back({RLIMIT_DATA, *wanted.memory.value});
    plan.layers.push_back(layer("limits.memory", wanted.memory.stated, LayerState::Partial,
                                without_group(group) + ": each process's data is limited, not their sum; memfd, "
                                                       "/dev/shm and files are not counted"));
  } else {
    plan.layers.push_back(
        layer("limits.memory", {}, LayerState::Absent, without_group(group) + ", and the profile states none"));
  }
}

// RLIMIT_NPROC counts the same processes. Where the group tells when it is full, that is one further out and is never
// met: it would say no before the group could count it.
void plan_pids(const profile::Limits& wanted, const sys::delegation::Support& group, Plan& plan) {
  const bool held = (group.controllers & sys::delegation::kPids) != 0;
  if (held) plan.of_group.pids = wanted.pids.value;
  plan.rlimits.push_back({RLIMIT_NPROC, wanted.pids.value + kInitProcess + (held ? 1 : 0)});
  if (held) plan.layers.push_back(layer("limits.pids", wanted.pids.stated));
  else
    plan.layers.push_back(layer("limits.pids", wanted.pids.stated, LayerState::Partial,
                                without_group(group) + ": counted by RLIMIT_NPROC in the jail's user namespace; that " +
                                    "it was reached may be missed"));
}

void plan_cpu(const profile::Limits& wanted, const sys::delegation::Support& group, Plan& plan) {
  if (!wanted.cpu.value) return;
  const bool held = (group.controllers & sys::delegation::kCpu) != 0;
  if (held) plan.of_group.millicpu = static_cast<std::uint64_t>(std::llround(*wanted.cpu.value * 1000));
  plan.layers.push_back(held ? layer("limits.cpu", wanted.cpu.stated)
                             : layer("limits.cpu", wanted.cpu.stated, LayerState::Absent, without_group(group)));
}

void plan_io(const profile::Limits& wanted, const sys::delegation::Support& group, Plan& plan) {
  if (!wanted.io.value) return;
  const bool held = (group.controllers & sys::delegation::kIo) != 0;
  if (held) plan.of_group.io = wanted.io.value;
  plan.layers.push_back(held ? layer("limits.io", wanted.io.stated)
                             : layer("limits.io", wanted.io.stated, LayerState::Absent, without_group(group)));
}

// A line of io.max goes on with what was not written.
bool stands_in(std::string_view all, std::string_view text) {
  while (!all.empty()) {
    const std::string_view line = all.substr(0, all.find('\n'));
    if (line == text || line.starts_with(std::string(text) + " ")) return true;
    all.remove_prefix(std::min(line.size() + 1, all.size()));
  }
  return false;
}

}  // namespace

Plan plan(const profile::Limits& wanted, const sys::delegation::Support& group) {
  Plan plan;
  plan.rlimits = {{RLIMIT_CORE, kNoCore}, {RLIMIT_NOFILE, wanted.files.value}};
  plan.layers = {layer("limits.core", {}), layer("limits.files", wanted.files.stated), layer("limits.temporary", {})};
  plan_pids(wanted, group, plan);
  plan_memory(wanted, group, plan);
  plan_cpu(wanted, group, plan);
  plan_io(wanted, group, plan);
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
  return plan;
}

unsigned needed(const profile::Limits& stated) {
  return (stated.memory.value ? sys::delegation::kMemory : 0U) | (stated.cpu.value ? sys::delegation::kCpu : 0U) |
         (stated.io.value ? sys::delegation::kIo : 0U);
}

unsigned needed(const OfGroup& planned) {
  return (planned.memory ? sys::delegation::kMemory : 0U) | (planned.millicpu ? sys::delegation::kCpu : 0U) |
         (planned.io ? sys::delegation::kIo : 0U);
}

// The kernel counts memory in pages (page_counter_memparse), takes no quota under a millisecond
// (cpu_period_quota_parse), and no more processes than it has numbers for (pids_max_write).
std::vector<Setting> settings_of(const OfGroup& limits, const std::vector<std::string>& disks) {
  constexpr std::uint64_t kPeriodUs = 100'000, kLeastUs = 1'000, kMostPids = 4'194'304;
  std::vector<Setting> settings;
  if (limits.memory) {
    const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
    settings.push_back({"limits.memory", "memory.oom.group", "1"});
    settings.push_back({"limits.memory", "memory.swap.max", "0"});
    settings.push_back({"limits.memory", "memory.max", std::to_string(*limits.memory / page * page)});
  }
  if (limits.pids)
    settings.push_back({"limits.pids", "pids.max", std::to_string(std::min(*limits.pids + kInitProcess, kMostPids))});
  if (limits.millicpu) {
    const std::uint64_t quota = std::max(*limits.millicpu * kPeriodUs / 1000, kLeastUs);
    settings.push_back({"limits.cpu", "cpu.max", std::to_string(quota) + " " + std::to_string(kPeriodUs)});
  }
  if (limits.io) {
    const std::string rate = std::to_string(*limits.io);
    for (const std::string& disk : disks)
      settings.push_back({"limits.io", "io.max", std::string(disk).append(" rbps=" + rate + " wbps=" + rate)});
  }
  return settings;
}

// Without CONFIG_SWAP, or with swapaccount=0, there is no file about it; the plan has said what follows. A disk may
// have gone since they were listed.
std::string apply(const Setting& setting, const sys::HeldGroup& group) {
  const int error = group.write(setting.file, setting.text);
  if (error == ENOENT && std::string_view(setting.file) == "memory.swap.max") return {};
  if (error == ENODEV && std::string_view(setting.file) == "io.max") return {};
  if (error != 0) return std::string("writing ") + setting.file + ": " + std::strerror(error);
  const std::string stands = sys::read_group_file(group.folder(), setting.file);
  if (!stands_in(stands, setting.text)) return std::string(setting.file) + " is " + stands + ", not " + setting.text;
  return {};
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
