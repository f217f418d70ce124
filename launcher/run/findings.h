// What the plugin's files are, as the builder of a jail sees them: in the finished view, under the plugin's ids and
// Landlock rules, with nothing of the plugin running. The supervisor gets it as bytes, compares and logs; a file system
// that does not answer keeps the builder waiting, not the supervisor (build.h).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/fd.h"
#include "monitor/plugin_files.h"
#include "run/plan.h"

namespace jail::run {

struct Findings {
  confine::TreeDigest tree;  // of `integrity`
  monitor::PluginFiles plugin;
};

// Whether the plan wants any.
bool wants_findings(const Plan& plan);

// In the builder. Bounded in entries, bytes and time.
Findings look_at_files(const Plan& plan);

// To the supervisor: a memory file, and back. Throws EPROTO for what pack() has not made.
Fd pack(const Findings& findings);
Findings unpack(const Fd& packed);

// Why a plugin with these files does not start, or nothing.
std::optional<Refusal> refusal_for(const Plan& plan, const Findings& findings);

// Patterns that match nothing.
profile::Diagnostics unmatched(const std::vector<monitor::HashedFiles>& hashed,
                               const std::vector<std::uint64_t>& matches);

}  // namespace jail::run
