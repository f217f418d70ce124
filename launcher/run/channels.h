// The log and the status report are the supervisor's word. A plugin that holds the file, pipe or socket they go to, as
// one of 0-2 or by --pass-fd, could put its own lines between them: that is refused. A terminal that both write to is
// the operator's choice; there a reader cannot tell who wrote a line.
#pragma once

#include <optional>
#include <vector>

#include "audit/log.h"
#include "run/prepare.h"

namespace jail::run {

// Looks at descriptors of the caller's, so before there are any of ours: a number that is closed now would be one of
// them later.
std::optional<audit::Problem> problem_with_channels(const std::vector<audit::Target>& log, int status_fd,
                                                    const std::vector<int>& passed);

// The files behind them, those of descriptors by the names they were opened by.
std::vector<OwnFile> files_of_channels(const std::vector<audit::Target>& log, int status_fd);

}  // namespace jail::run
