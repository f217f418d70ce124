// What other readers of YAML make of a word without quotes. A profile must mean the same to an editor, a linter and us,
// so a word that some of them take for a number or a truth value is no text until it is quoted.
#pragma once

#include <string_view>

namespace jail::profile {

// "a number", "a truth value", ... or nothing when every reader sees text (YAML 1.2 core schema, and what 1.1 adds:
// yes, no, on, off, underscores and base 60 in numbers).
std::string_view other_meaning(std::string_view plain);

}  // namespace jail::profile
