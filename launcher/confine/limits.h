// What a plugin may use up, by rlimits (getrlimit(2)). Where no control group can be had, the number of processes is
// RLIMIT_NPROC set inside the user namespace (it counts that namespace alone) and memory is RLIMIT_DATA for each
// process (never RLIMIT_AS: it breaks Node, Go and Java, which reserve far more than they use).
#pragma once

#include <vector>

#include "confine/layer.h"
#include "profile/profile.h"
#include "sys/process.h"

namespace jail::confine::limits {

inline constexpr std::uint64_t kInitProcess = 1;  // pid 1 of the jail counts, the plugin does not know it

struct Plan {
  std::vector<sys::Limit> rlimits;
  std::vector<Layer> layers;
};

Plan plan(const profile::Limits& wanted);

// In the child, inside its user namespace.
void enforce(const Plan& plan);
// Every limit stands, soft and hard, at or below what was planned.
bool verify(const Plan& plan);

}  // namespace jail::confine::limits
