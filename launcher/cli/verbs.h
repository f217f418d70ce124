// Every verb of the command line, in the order `jail --help` shows them.
#pragma once

#include <CLI/CLI.hpp>
#include <string_view>

namespace jail::cli {

// Adds one verb. When the user picks it, its exit status lands in `status`.
using AddVerb = void (*)(CLI::App& app, int& status);

void add_run(CLI::App& app, int& status);
void add_check(CLI::App& app, int& status);
void add_show(CLI::App& app, int& status);
void add_doctor(CLI::App& app, int& status);
void add_why(CLI::App& app, int& status);
void add_digest(CLI::App& app, int& status);
void add_audit(CLI::App& app, int& status);
void add_logs(CLI::App& app, int& status);
void add_ps(CLI::App& app, int& status);
void add_top(CLI::App& app, int& status);
void add_kill(CLI::App& app, int& status);
void add_freeze(CLI::App& app, int& status);
void add_thaw(CLI::App& app, int& status);
void add_disable(CLI::App& app, int& status);
void add_enable(CLI::App& app, int& status);

struct Verb {
  std::string_view name;
  AddVerb add;
};

inline constexpr Verb kVerbs[] = {
    {"run", add_run},         {"check", add_check},   {"show", add_show},     {"why", add_why},
    {"doctor", add_doctor},   {"digest", add_digest}, {"audit", add_audit},   {"ps", add_ps},
    {"top", add_top},         {"logs", add_logs},     {"kill", add_kill},     {"freeze", add_freeze},
    {"thaw", add_thaw},       {"disable", add_disable}, {"enable", add_enable}};

}  // namespace jail::cli
