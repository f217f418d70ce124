#include "profile/paths.h"

#include <algorithm>

namespace jail::profile {
namespace {

// Calls `use` with each component that is neither empty nor ".".
template <typename Use>
void each_component(std::string_view path, Use use) {
  while (!path.empty()) {
    const std::size_t slash = std::min(path.find('/'), path.size());
    const std::string_view component = path.substr(0, slash);
    if (!component.empty() && component != ".") use(component);
    path.remove_prefix(std::min(slash + 1, path.size()));
  }
}

}  // namespace

std::string normal_path(std::string_view absolute) {
  std::string path;
  path.reserve(absolute.size());
  each_component(absolute, [&](std::string_view component) { path.append("/").append(component); });
  return path.empty() ? "/" : path;
}

bool has_parent_component(std::string_view path) {
  bool found = false;
  each_component(path, [&](std::string_view component) { found |= component == ".."; });
  return found;
}

bool is_within(std::string_view path, std::string_view folder) {
  if (folder == "/") return true;
  return path.starts_with(folder) && (path.size() == folder.size() || path[folder.size()] == '/');
}

std::string_view folder_of(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == 0 || slash == std::string_view::npos ? "/" : path.substr(0, slash);
}

std::string_view base_of(std::string_view path) { return path.substr(path.rfind('/') + 1); }

std::string joined(std::string_view folder, std::string_view below) {
  std::string path(folder == "/" ? std::string_view{} : folder);
  return path.append("/").append(below);
}

}  // namespace jail::profile
