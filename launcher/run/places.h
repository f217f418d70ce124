// Where jail's own files are (XDG Base Directory Specification 0.8), and which of them may be believed: a folder or
// file that somebody else could have written decides nothing (SECURITY C11).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "profile/facts.h"
#include "profile/load.h"
#include "run/chains.h"

namespace jail::run {

struct Places {
  std::string home;
  std::vector<std::string> profiles;  // in order of lookup
  std::string state;                  // ${state} is state/NAME
  std::vector<std::string> disabled;  // of root, and of the user (registry/disabled.h): the last is the caller's own
  std::string problem;                // not empty: an XDG value that cannot be used
};

// For root only /etc and the installed files count, whatever HOME and XDG say.
Places find_places(std::uint32_t uid);

// Absolute, and with the links of as much of it as exists followed.
std::string without_links(const std::string& path);

// The profile `name` stands for: a path if it has a slash, else NAME.yaml in the first place that has it. Never the
// working folder. Absolute and without links: one profile, one path.
std::optional<std::string> find_profile(const Places& places, const std::string& name);

// A file's text if it and all folders on the way to it, by name and behind links, belong to root or `uid` and nobody
// else can write them.
profile::FileText read_trusted(const std::string& path, std::uint32_t uid);

// One place that no write grant may touch.
profile::ProtectedPlace protect(Chains& chains, std::string what, const std::string& path);

// Folders and files no write grant may touch, with everything that contains them.
std::vector<profile::ProtectedPlace> protected_places(const Places& places,
                                                      const std::vector<std::string>& deciding_files, Chains& chains);

// `path`, which lies below `root`: made with mode 0700 for the plugin's ids as far as it is not there. Nothing is made
// behind a link below `root`: a plugin may have planted it, and Resolver says so.
void make_state_folder(const std::string& root, const std::string& path, std::uint32_t uid, std::uint32_t gid);

}  // namespace jail::run
