// Every verb of the command line, in the order `jail --help` shows them.
#pragma once

#include <CLI/CLI.hpp>

namespace jail::cli {

// Adds one verb. When the user picks it, its exit status lands in `status`.
using AddVerb = void (*)(CLI::App& app, int& status);

void add_run(CLI::App& app, int& status);
void add_check(CLI::App& app, int& status);
void add_show(CLI::App& app, int& status);
void add_doctor(CLI::App& app, int& status);
void add_audit(CLI::App& app, int& status);

inline constexpr AddVerb kVerbs[] = {add_run, add_check, add_show, add_doctor, add_audit};

}  // namespace jail::cli
