// Builds a jail for real and takes it down again before anything is executed: the one probe that cannot be wrong about
// whether this machine can run a profile.
#pragma once

#include <optional>
#include <string>

#include "run/build.h"
#include "run/plan.h"

namespace jail::run {

// Empty: the jail was built, every stage of it. What holds in part only is noted among the layers of the plan.
// `broker`: the socket of jaild.
std::optional<BuildFailure> rehearse(Plan& plan, Proc proc, const std::string& broker);

// The plan of a profile that asks for nothing but one address of another host: what this machine offers on its own
// account.
Plan bare_plan(const std::string& broker);

}  // namespace jail::run
