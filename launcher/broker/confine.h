// What is left of root's power once everything is loaded (capabilities(7), landlock(7), seccomp(2)).
#pragma once

#include <string>

#include "sys/cgroup.h"

namespace jail::broker {

// Keeps CAP_BPF (maps, links), CAP_PERFMON (programs that look at the kernel) and CAP_NET_ADMIN (programs of the
// network), for good; no file is opened, nothing executed, no socket made any more. SysError.
void confine();

// Of the maker of groups: keeps CAP_SYS_NICE, without which Linux 6.1 moves nobody who has powers in a user namespace
// of its own (cpuset_can_attach); no call that it is otherwise good for is left. It opens what is in /proc and in the
// control groups below `top`, and makes and removes groups in `base` alone; nothing is executed, no socket made.
// SysError.
void confine_maker(const std::string& top, const sys::Cgroup& base);

}  // namespace jail::broker
