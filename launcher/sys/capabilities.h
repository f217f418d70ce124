// Capabilities and securebits (capabilities(7)), by libcap.
#pragma once

#include <string>
#include <vector>

namespace jail::sys {

// Drops every capability from every set of this thread, the bounding and ambient sets included, and locks the
// securebits so that uid 0 means nothing. Needs CAP_SETPCAP for the bounding set.
void drop_all_capabilities();

// Names of what is left in the permitted, bounding or ambient set; empty after drop_all_capabilities().
std::vector<std::string> remaining_capabilities();

}  // namespace jail::sys
