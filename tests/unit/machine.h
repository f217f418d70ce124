// A machine on paper: what run/facts.cc would have collected about folders, files and links, and the profiles to hold
// against it. Every path has an identity of its own unless it is said to be another's alias.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "profile/facts.h"
#include "profile/profile.h"

namespace jail::test {

class Machine {
 public:
  Machine& folder(const std::string& path) { return add(path, profile::PathKind::Directory); }
  Machine& file(const std::string& path) { return add(path, profile::PathKind::File); }
  Machine& program(const std::string& path, std::vector<std::string> interpreters = {}) {
    add(path, profile::PathKind::File);
    facts_.paths[path].mode = 0755;
    facts_.paths[path].interpreters = std::move(interpreters);
    return *this;
  }
  Machine& device(const std::string& path) { return add(path, profile::PathKind::CharDevice); }

  // `path` leads to `real` through links, as a profile may name it.
  Machine& led(const std::string& path, const std::string& real, std::vector<profile::Link> links) {
    facts_.paths[path] = fact(real, profile::PathKind::File);
    facts_.paths[path].kind = facts_.paths.contains(real) ? facts_.paths[real].kind : profile::PathKind::Directory;
    facts_.paths[path].links = std::move(links);
    return *this;
  }

  // A bind mount: `path` is the very folder that stands at `original`.
  Machine& alias(const std::string& path, const std::string& original) {
    identities_[path] = identity(original);
    return folder(path);
  }

  [[nodiscard]] profile::Identity identity(const std::string& path) {
    const auto [found, isnew] = identities_.try_emplace(path, profile::Identity{1, next_});
    if (isnew) ++next_;
    return found->second;
  }

  [[nodiscard]] const profile::Facts& facts() const { return facts_; }
  [[nodiscard]] profile::Facts& facts() { return facts_; }

 private:
  profile::PathFact fact(const std::string& real, profile::PathKind kind) {
    profile::PathFact fact;
    fact.kind = kind;
    fact.real = real;
    fact.identity = identity(real);
    fact.mode = 0644;
    for (std::string part = real;; part = part.substr(0, part.rfind('/'))) {
      fact.chain.push_back(identity(part.empty() ? "/" : part));
      if (part.empty() || part == "/") return fact;
    }
  }

  Machine& add(const std::string& path, profile::PathKind kind) {
    facts_.paths[path] = fact(path, kind);
    return *this;
  }

  profile::Facts facts_;
  std::map<std::string, profile::Identity> identities_;
  std::uint64_t next_ = 100;
};

inline profile::Place line(int number) { return {.file = "plugin.yaml", .line = number, .column = 3}; }

// Grants in the order they are written, on line 1, 2, 3 and so on.
inline profile::Profile granting(const std::vector<std::pair<profile::Access, std::string>>& grants) {
  profile::Profile profile;
  profile.name = "plugin";
  for (const auto& [access, path] : grants) {
    profile::Grant grant;
    grant.access = access;
    grant.path = path;
    grant.place = line(static_cast<int>(profile.filesystem.grants.size()) + 1);
    profile.filesystem.grants.push_back(std::move(grant));
  }
  return profile;
}

// The same with hidden paths, on line 51, 52 and so on.
inline profile::Profile hiding(profile::Profile profile, const std::vector<std::string>& paths) {
  for (const std::string& path : paths) {
    profile::Hidden hidden;
    hidden.path = path;
    hidden.place = line(static_cast<int>(profile.filesystem.hidden.size()) + 51);
    profile.filesystem.hidden.push_back(std::move(hidden));
  }
  return profile;
}

}  // namespace jail::test
