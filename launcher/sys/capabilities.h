// Capabilities and securebits (capabilities(7)), by libcap.
#pragma once

#include <string>
#include <vector>

namespace jail::sys {

// Drops every capability from every set of this thread and locks the securebits so that uid 0 means nothing. Needs
// CAP_SETPCAP.
void drop_all_capabilities();

// The same but for the bounding set: for a process that never executes anything, which is all a bounding set is about.
void drop_own_capabilities();

// Drops every other capability (CAP_*) from every set, for what is executed, too, and locks the securebits. These have
// to be held. Needs CAP_SETPCAP.
void keep_capabilities(const std::vector<int>& kept);

// Whether it is in the effective set of this thread.
bool has_capability(int capability);

// Names of what is left in the permitted, bounding or ambient set; empty after drop_all_capabilities().
std::vector<std::string> remaining_capabilities();

}  // namespace jail::sys
