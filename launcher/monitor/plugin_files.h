// monitor.hash: which files the patterns mean and what their digests are, read by the builder of a jail in the finished
// view, before anything of the plugin runs. No link is followed: a file is digested under its own name. Everything that
// matches gets a record, if only one that says why there is no digest; what lies beyond a bound is counted.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "confine/tree_digest.h"
#include "event/event.h"
#include "profile/facts.h"
#include "profile/glob.h"
#include "profile/profile.h"

namespace jail::monitor {

// One pattern with its root as the view has it, without links.
struct HashedFiles {
  profile::Glob glob;
  profile::HashPattern pattern;
};
std::vector<HashedFiles> plan_hashed(const profile::Profile& profile, const profile::Facts& facts);

inline constexpr std::uint64_t kMostPluginFiles = 10'000;

// Of all patterns together.
struct PluginFiles {
  std::vector<event::PluginFile> files;  // by path, each once
  std::vector<event::LimitReached> limits;
  std::vector<std::uint64_t> matches;  // of each pattern
};
PluginFiles read_plugin_files(const std::vector<HashedFiles>& wanted, const confine::TreeBounds& bounds = {});

// Only `matches`: nothing is read of the files.
std::vector<std::uint64_t> count_matches(const std::vector<HashedFiles>& wanted);

}  // namespace jail::monitor
