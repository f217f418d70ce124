// From the path a profile names to the file it means, without being led astray (SECURITY C6).
#pragma once

#include <sys/stat.h>

#include <map>
#include <string>
#include <vector>

#include "profile/facts.h"
#include "run/chains.h"

namespace jail::run {

class Resolver {
 public:
  // `untrusted`: trees in which no link is followed. `uid`: the operator; links and folders of root and of this user
  // count.
  Resolver(std::vector<std::string> untrusted, std::uint32_t uid, Chains& chains);

  [[nodiscard]] profile::PathFact resolve(const std::string& path) const;

  // Who besides root and the operator could have written the file at `real` or put it there: not empty when there is
  // somebody. `real` is absolute and without links.
  [[nodiscard]] std::string foreign(const std::string& real) const;

 private:
  // What lstat(2) says of a path whose parents are no links, remembered: most paths share their beginnings.
  struct Look {
    int error = 0;
    struct stat status {};
  };
  const Look& look(const std::string& path) const;

  [[nodiscard]] bool in_untrusted(const std::string& path) const;
  [[nodiscard]] std::string why_not_followed(const std::string& folder, const std::string& link,
                                             const struct stat& status) const;

  std::vector<std::string> untrusted_;
  std::vector<profile::Identity> untrusted_folders_;  // the same, whatever they are called
  std::uint32_t uid_;
  Chains& chains_;
  mutable std::map<std::string, Look> looks_;
};

}  // namespace jail::run
