// `jail doctor --blindspots`: what the log of a jail tells of what is done in it.
#pragma once

#include "blindspot/survey.h"

namespace jail::cli {

enum class Form { Lines, Json };

// The exit status: 0 only if nothing is invisible.
int show_blindspots(Form form, blindspot::Strictness strictness);

// The hidden option of `jail doctor` by which it starts itself inside the jail.
inline constexpr const char* kPerformOption = "--perform-blindspots";

}  // namespace jail::cli
