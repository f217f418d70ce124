// What a plugin may use up. Of the jail as a whole by its control group, where one can be had (cgroup.h); by rlimits
// (getrlimit(2)) what they alone can say, and where there is no group: the number of processes is RLIMIT_NPROC set
// inside the user namespace (it counts that namespace alone) and memory is RLIMIT_DATA for each process (never
// RLIMIT_AS: it breaks Node, Go and Java, which reserve far more than they use).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sys/delegation.h"
#include "confine/layer.h"
#include "profile/profile.h"
#include "sys/process.h"

namespace jail::confine::limits {

inline constexpr std::uint64_t kInitProcess = 1;  // pid 1 of the jail counts, the plugin does not know it

// One file of the group, or a line of it; what stands in it afterwards begins with what was written.
struct Setting {
  std::string_view layer;
  const char* file;
  std::string text;
};

// What the group holds the whole jail to, as the profile says it.
struct OfGroup {
  std::optional<std::uint64_t> memory;    // bytes
  std::optional<std::uint64_t> pids;      // without pid 1
  std::optional<std::uint64_t> millicpu;  // thousandths of a core
  std::optional<std::uint64_t> io;        // bytes a second, read and as many written, of each disk
  [[nodiscard]] bool any() const { return memory || pids || millicpu || io; }
};

struct Plan {
  std::vector<sys::Limit> rlimits;
  OfGroup of_group;
  std::vector<Layer> layers;
};

Plan plan(const profile::Limits& wanted, const sys::delegation::Support& group = {});

// Controllers without which what the profile states would hold for each process alone, or not at all.
unsigned needed(const profile::Limits& stated);
unsigned needed(const OfGroup& planned);

// What `of_group` is in the group's files. `disks`: "8:0" (sys/disks.h).
std::vector<Setting> settings_of(const OfGroup& limits, const std::vector<std::string>& disks = {});
// Writes one and reads it again: empty, or why it does not stand there.
std::string apply(const Setting& setting, const sys::HeldGroup& group);

// In the child, inside its user namespace.
void enforce(const Plan& plan);
// Every limit stands, soft and hard, at or below what was planned.
bool verify(const Plan& plan);

}  // namespace jail::confine::limits
