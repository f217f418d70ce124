// Builds a jail for real and takes it down again before anything is executed: the one probe that cannot be wrong about
// whether this machine can run a profile.
#pragma once

#include <optional>

#include "run/build.h"
#include "run/plan.h"

namespace jail::run {

// Empty: the jail was built, every stage of it.
std::optional<BuildFailure> rehearse(const Plan& plan, Proc proc);

// The plan of a profile that asks for nothing: what this machine offers on its own account.
Plan bare_plan();

}  // namespace jail::run
