// Looks at the machine for everything that is pure (profile/facts.h). The only place that resolves a granted path.
#pragma once

#include <string>
#include <vector>

#include "confine/identity.h"
#include "confine/view.h"
#include "profile/facts.h"
#include "profile/load.h"
#include "profile/profile.h"
#include "run/chains.h"
#include "run/places.h"

namespace jail::run {

// What `load()` needs of this process and machine. `set`: --set.
profile::Inputs inputs_of(const Places& places, std::map<std::string, std::string> set);

// What is so whatever a profile says.
profile::Facts facts_of_operator(const Places& places, const std::vector<std::string>& deciding_files, Chains& chains);

// Facts of every path the profile names. Links are followed only where nobody but root and the operator can have
// planted them, and never below a place that a plugin may write (SECURITY C6).
profile::Facts collect(const profile::Profile& profile, const Places& places,
                       const std::map<std::string, std::string>& set);

// Mount points of this process, for hidden places (empty when the profile hides nothing).
std::vector<confine::view::MountPoint> collect_mounts(const profile::Profile& profile);

confine::identity::Launcher launcher();
std::vector<std::string> environment();

}  // namespace jail::run
