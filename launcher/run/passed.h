// Descriptors that the operator hands to the plugin by number (--pass-fd): what they are is part of the plan, and what
// would be a way out of the view is refused.
#pragma once

#include <string>
#include <vector>

namespace jail::run {

struct PassedPlan {
  std::vector<int> numbers;       // sorted
  std::vector<std::string> seen;  // "7: file, read, /srv/data", in the same order
  std::string problem;            // not empty: the run must be refused
};

// 0-2 have rules of their own (stdio.h). What leads further than itself is a problem: a folder or a path that was never
// opened (O_PATH), a socket of the host's network, a terminal, files of /proc and /sys, kernel objects.
PassedPlan plan_passed(std::vector<int> numbers);

}  // namespace jail::run
