#include "run/chains.h"

#include <sys/stat.h>

namespace jail::run {

const std::optional<profile::Identity>& Chains::identity(const std::string& path) {
  const auto [entry, fresh] = seen_.try_emplace(path);
  struct stat status {};
  if (fresh && ::stat(path.c_str(), &status) == 0) entry->second = profile::Identity{status.st_dev, status.st_ino};
  return entry->second;
}

std::vector<profile::Identity> Chains::of(const std::string& path) {
  std::vector<profile::Identity> chain;
  for (std::string part = path; part.size() > 1; part.resize(part.rfind('/')))
    if (const auto& found = identity(part)) chain.push_back(*found);
  if (const auto& root = identity("/")) chain.push_back(*root);
  return chain;
}

}  // namespace jail::run
