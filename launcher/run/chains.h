// Who contains a file, whatever it is called: its identity, its parent's, ... up to "/". Remembers what it has looked
// at, since most paths of a profile share their beginnings.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "profile/facts.h"

namespace jail::run {

class Chains {
 public:
  // Missing parts are left out. `path` is absolute and without links.
  [[nodiscard]] std::vector<profile::Identity> of(const std::string& path);
  // Somebody else has looked already.
  void learn(const std::string& path, const profile::Identity& identity) { seen_.try_emplace(path, identity); }

 private:
  const std::optional<profile::Identity>& identity(const std::string& path);

  std::map<std::string, std::optional<profile::Identity>> seen_;
};

}  // namespace jail::run
