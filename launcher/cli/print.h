// Text for people, on standard output or error. Everything that a plugin or a stranger may have written goes through
// text::for_people.
#pragma once

#include <cstdio>
#include <string>

#include "profile/diagnostic.h"
#include "run/plan.h"

namespace jail::cli {

// "file:line:column: error: message", then "  hint: ..."; errors first.
void print(std::FILE* to, const profile::Diagnostics& diagnostics);
void print_errors(std::FILE* to, const profile::Diagnostics& diagnostics);  // without the warnings
void print(std::FILE* to, const run::Refusal& refusal);

// The same as one JSON object:
// {"diagnostics":[{"severity":...,"file":...,"line":...,"column":...,"message":...,"hint":...}]}
std::string as_json(const profile::Diagnostics& diagnostics);

}  // namespace jail::cli
