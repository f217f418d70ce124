// Live jails as rows, for `jail ps` and `jail top`.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <vector>

#include "registry/live.h"

namespace jail::cli {

inline constexpr registry::Patience kAnswerPatience{500};

// `shares`: of one processor since the last look, in percent, by run; none: there was none.
struct Share {
  std::string run;
  double percent = 0;
};

std::vector<std::string> lines_of(const std::vector<registry::Live>& jails,
                                  const std::optional<std::vector<Share>>& shares = std::nullopt);

// --reason of what acts on jails; one that is longer than their records hold is a wrong command line.
void add_reason(CLI::App& verb, std::string& reason, const std::string& purpose);

// Says why a word means no jail. The exit status.
int refuse_word(const registry::Problem& problem);

// Ends the live jails of that profile, or of all where it is empty; says so. The exit status.
int kill_jails(const std::string& profile, const std::string& reason);

}  // namespace jail::cli
