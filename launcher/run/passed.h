// Descriptors that the operator hands to the plugin by number (--pass-fd): what they are is part of the plan, and what
// would be a way out of the view is refused.
#pragma once

#include <string>
#include <vector>

namespace jail::run {

struct PassedPlan {
  std::vector<int> numbers;       // sorted
  std::vector<std::string> seen;  // "7: file, read", in the same order
  std::string problem;            // not empty: the run must be refused
};

// 0-2 have rules of their own (stdio.h). A folder, or a path that was never opened (O_PATH), leads to everything below
// or beside it whatever the view shows.
PassedPlan plan_passed(std::vector<int> numbers);

}  // namespace jail::run
