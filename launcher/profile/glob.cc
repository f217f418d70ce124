#include "profile/glob.h"

#include <fnmatch.h>

#include <algorithm>

#include "profile/paths.h"

namespace jail::profile {
namespace {

// The first component of a path and what stands behind it.
std::string_view take_component(std::string_view& path) {
  path.remove_prefix(std::min(path.find_first_not_of('/'), path.size()));
  const std::string_view component = path.substr(0, path.find('/'));
  path.remove_prefix(component.size());
  return component;
}

bool is_pattern(std::string_view component) {
  for (std::size_t i = 0; i < component.size(); ++i) {
    if (component[i] == '\\') ++i;
    else if (component[i] == '*' || component[i] == '?' || component[i] == '[') return true;
  }
  return false;
}

std::string without_escapes(std::string_view component) {
  std::string name;
  for (std::size_t i = 0; i < component.size(); ++i) {
    if (component[i] == '\\' && i + 1 < component.size()) ++i;
    name.push_back(component[i]);
  }
  return name;
}

void add(GlobState& state, const Glob& glob, std::size_t index) {
  for (; index < glob.names.size(); ++index) {
    if (std::ranges::find(state, index) == state.end()) state.push_back(index);
    if (glob.names[index] != kAnyFolders) return;  // else none of the folders it stands for may be there
  }
}

}  // namespace

Glob parse_glob(std::string_view path) {
  Glob glob{.root = "/", .names = {}};
  while (!path.empty()) {
    const std::string_view component = take_component(path);
    if (glob.names.empty() && !is_pattern(component)) glob.root = joined(glob.root, without_escapes(component));
    else glob.names.emplace_back(component);
  }
  return glob;
}

GlobState start(const Glob& glob) {
  GlobState state;
  add(state, glob, 0);
  return state;
}

GlobStep step(const Glob& glob, const GlobState& state, const std::string& name) {
  GlobStep result;
  for (const std::size_t index : state) {
    const bool last = index + 1 == glob.names.size();
    if (glob.names[index] == kAnyFolders) {
      result.matches |= last;
      add(result.below, glob, index);
    } else if (::fnmatch(glob.names[index].c_str(), name.c_str(), 0) == 0) {
      result.matches |= last;
      add(result.below, glob, index + 1);
    }
  }
  return result;
}

bool may_match_at(const Glob& glob, std::string_view path) {
  if (is_within(glob.root, path)) return true;
  if (!is_within(path, glob.root)) return false;
  GlobStep last{.matches = false, .below = start(glob)};
  path.remove_prefix(glob.root == "/" ? 0 : glob.root.size());
  while (!path.empty() && !last.below.empty()) last = step(glob, last.below, std::string(take_component(path)));
  return path.empty() && (last.matches || !last.below.empty());
}

}  // namespace jail::profile
