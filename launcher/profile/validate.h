// Contradictions, dangerous grants and places that would let a plugin widen its own policy. Pure over Facts.
#pragma once

#include "profile/facts.h"
#include "profile/profile.h"

namespace jail::profile {

// Everything wrong with this profile on the machine the facts describe, sorted by place.
Diagnostics validate(const Profile& profile, const Facts& facts);

// The paths whose facts validate() and the plan need: grants, hidden paths, cwd, sockets, integrity, monitor.hash.
std::vector<std::string> paths_of_interest(const Profile& profile);

// What the rules say of one grant by its name alone: let it be, ask for {dangerous: true}, or never have it.
enum class Standing { Granted, Dangerous, Refused };
Standing standing_of(Grant grant, const Facts& facts);

}  // namespace jail::profile
