// From the path a profile names to the file it means, without being led astray (SECURITY C6).
#pragma once

#include <string>
#include <vector>

#include "profile/facts.h"
#include "run/chains.h"

namespace jail::run {

class Resolver {
 public:
  // `untrusted`: trees in which no link is followed. `uid`: the operator; links and folders of root and of this user count.
  Resolver(std::vector<std::string> untrusted, std::uint32_t uid, Chains& chains);

  [[nodiscard]] profile::PathFact resolve(const std::string& path) const;

 private:
  [[nodiscard]] bool in_untrusted(const std::string& path) const;
  [[nodiscard]] profile::PathFact walk(const std::string& path) const;

  std::vector<std::string> untrusted_;
  std::vector<profile::Identity> untrusted_folders_;  // the same, whatever they are called
  std::uint32_t uid_;
  Chains& chains_;
};

}  // namespace jail::run
