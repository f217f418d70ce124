// Pid 1 of a jail: reaps, tells how the plugin ended, dies with the supervisor. Its end kills everything in the jail.
#pragma once

#include <sys/types.h>

#include "base/fd.h"
#include "confine/seccomp.h"

namespace jail::run {

// Never returns. Nothing of the supervisor is left in this process: no descriptor but the socket, no environment, a
// filter of its own. It handles no signal, so none from inside the jail has an effect (pid_namespaces(7)).
[[noreturn]] void be_init(pid_t plugin, Fd supervisor, const confine::seccomp::Program& filter);

}  // namespace jail::run
