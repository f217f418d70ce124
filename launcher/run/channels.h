// The log and the status report are the supervisor's word. A plugin that holds the file they go to, as one of 0-2 or by
// --pass-fd, could put its own lines between them: that is refused. A terminal or a pipe that the log shares with the
// plugin's output is the operator's choice (a container's log); there a reader cannot tell who wrote a line.
#pragma once

#include <optional>
#include <vector>

#include "audit/log.h"

namespace jail::run {

// Looks at descriptors of the caller's, so before there are any of ours: a number that is closed now would be one of
// them later.
std::optional<audit::Problem> problem_with_channels(const std::vector<audit::Target>& log, int status_fd,
                                                    const std::vector<int>& passed);

}  // namespace jail::run
