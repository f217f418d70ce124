// The patterns of monitor.hash: `*` and `?` for characters of one name, `[...]` for one of a set, `**` as a whole
// component for any folders and none, a backslash in front of what shall stand for itself. A dot in front of a name is
// a character like others: hidden files are loaded as others are.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace jail::profile {

struct Glob {
  std::string root;                // absolute: as far as the path holds no pattern
  std::vector<std::string> names;  // below it, one pattern a component; none: the root itself is the file
};

// Of an absolute, normal path.
Glob parse_glob(std::string_view path);

inline constexpr std::string_view kAnyFolders = "**";

// Which components of a glob the names in a folder are to be held against: several, where a `**` may go on or end.
// A walk begins with start() and hands what step() gives to the next folder.
using GlobState = std::vector<std::size_t>;
GlobState start(const Glob& glob);

struct GlobStep {
  bool matches = false;  // this name is one the pattern means
  GlobState below;       // for what it holds, if it is a folder; empty: nothing there can match
};
GlobStep step(const Glob& glob, const GlobState& state, const std::string& name);

// Whether what stands at `path`, or below it, could match.
bool may_match_at(const Glob& glob, std::string_view path);

}  // namespace jail::profile
