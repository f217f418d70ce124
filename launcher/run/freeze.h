// Stops a whole jail and lets it go on, from outside and without a cgroup: SIGSTOP to each of its processes but pid 1,
// again and again until nobody new is met. One that has the signal can no longer fork (fork(2) restarts behind it), so
// there is an end to that. Found by /proc/PID/task/TID/children (CONFIG_PROC_CHILDREN), which asks no file system.
#pragma once

#include "base/fd.h"
#include "run/build.h"

namespace jail::run {

enum class Frozen { Whole, Partly };  // Partly: somebody may still run
Frozen freeze(const Jail& jail);
void thaw(const Jail& jail);

}  // namespace jail::run
