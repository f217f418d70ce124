// Who may ask, and about whom (SECURITY E2, E3). Pure: over what the kernel says of processes, which was read by their
// pidfds (trace/task.h).
#pragma once

#include <string>
#include <vector>

#include "bpf/task.h"

namespace jail::broker {

// Each is empty where nothing is wrong, and else a reason for people. `own`: a thread of ours.

// Nobody in a jail or a container: to the kernel a plugin is its user. `uid`: as who it connected.
std::string why_not_served(const std::vector<jail_task>& peer, std::uint32_t uid, const jail_task& own);

// Only the first process of a pid namespace right below ours, forked by the peer itself and still what was forked: so
// the namespace is the peer's own making, and nobody else's events are in it.
std::string why_not_taken(const std::vector<jail_task>& child, const jail_task& peer, const jail_task& own);

// Who comes after it: forked by the peer, too, into that namespace, of this number.
std::string why_not_joined(const std::vector<jail_task>& child, const jail_task& peer, std::uint32_t pid_space);

}  // namespace jail::broker
