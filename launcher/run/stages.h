// What a child does to itself to become a jail: read stages.cc first.
#pragma once

#include <vector>

#include "base/fd.h"
#include "confine/seccomp.h"
#include "run/plan.h"
#include "run/stdio.h"

namespace jail::run {

// What the child takes along from the supervisor's memory and descriptors.
struct Material {
  const Plan* plan = nullptr;
  const StdioPlan* stdio = nullptr;
  StdioEnds ends;
  confine::seccomp::Program filter;
  confine::seccomp::Program init_filter;
  std::vector<int> passed;  // --pass-fd, sorted
};

// In a fresh child in new namespaces: never returns. Failures reach the supervisor by `supervisor`.
[[noreturn]] void become_jail(Material material, Fd supervisor) noexcept;

}  // namespace jail::run
