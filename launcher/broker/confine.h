// What is left of root's power once everything is loaded (capabilities(7), landlock(7), seccomp(2)).
#pragma once

namespace jail::broker {

// Keeps CAP_BPF (maps, links), CAP_PERFMON (programs that look at the kernel) and CAP_NET_ADMIN (programs of the
// network), for good; no file is opened, nothing executed, no socket made any more. SysError.
void confine();

}  // namespace jail::broker
