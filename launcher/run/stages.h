// What a child does to itself to become a plugin in a jail: read stages.cc first.
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
  Fd handover;              // of the filter's listener; empty: the filter has none
  std::vector<int> passed;  // --pass-fd, sorted
  Fd init;                  // pidfd of the jail's pid 1, whose namespaces are joined
  Fd root;                  // of the view, as pid 1 has begun it
};

// In a fresh child: never returns. Failures reach the supervisor by `supervisor`.
[[noreturn]] void become_plugin(Material material, Fd supervisor) noexcept;

}  // namespace jail::run
