// One jailed run from start to end: what `jail run` does.
#pragma once

#include <string>
#include <vector>

#include "audit/log.h"
#include "profile/diagnostic.h"
#include "run/prepare.h"

namespace jail::run {

struct Options {
  Wanted wanted;
  std::vector<audit::Target> audit;  // empty: the default file
  int status_fd = -1;
  std::vector<int> pass_fds;
};

struct Result {
  int exit_status = 0;
  profile::Diagnostics diagnostics;   // of the profile, errors and warnings
  std::vector<Refusal> refusals;      // why nothing ran
  profile::Diagnostics remarks;       // warnings that matter at every run
  std::string problem;                // a failure after the plugin was built, or of the log
  std::string hint;                   // what to do about the problem; may be empty
};

// Throws SysError only for what is nobody's fault but the machine's before anything was built.
Result run(const Options& options);

}  // namespace jail::run
