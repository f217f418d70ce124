// The plugin's environment: empty but for what the profile names.
#pragma once

#include <string>
#include <vector>

#include "profile/profile.h"

namespace jail::confine::environment {

struct Plan {
  std::vector<std::string> variables;  // "NAME=value", sorted by name
  std::vector<std::string> secrets;    // values that must not show in a log
};

// `caller` is an environ(7): "NAME=value". A glob of the profile never matches a name that makes an interpreter or the
// loader run something (profile/environment.h): such a name must be written out.
Plan plan(const profile::Environment& wanted, const std::vector<std::string>& caller);

}  // namespace jail::confine::environment
