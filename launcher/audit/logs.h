// Which log files there are.
#pragma once

#include <string>
#include <vector>

#include "audit/problem.h"

namespace jail::audit {

// The files that default_file_name() gave to profiles called `profile`, or to any where it is empty; with their
// folder, sorted. A folder that does not exist holds none.
Or<std::vector<std::string>> logs_of(const std::string& folder, const std::string& profile);

}  // namespace jail::audit
