// The options that `run`, `check`, `show` and `doctor` share: which profile, with which variables.
#pragma once

#include <CLI/CLI.hpp>
#include <map>
#include <string>
#include <vector>

#include "run/prepare.h"

namespace jail::cli {

struct WantedOptions {
  std::string profile;
  std::vector<std::string> set;  // "name=value"
  std::vector<std::string> monitor;  // words
  bool best_effort = false;
  std::string broker = broker::kSocket;
  std::vector<std::string> command;
};

enum class ProfileIs { Required, Optional };
void add_wanted(CLI::App& verb, WantedOptions& options, ProfileIs profile);

run::Wanted wanted_of(const WantedOptions& options);

}  // namespace jail::cli
