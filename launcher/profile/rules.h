// The rules behind validate(), one function for each question asked of a profile. A rule adds to the findings and never
// reads another's.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "profile/facts.h"
#include "profile/profile.h"

namespace jail::profile {

// A path with what the machine says of it, looked up once.
struct Spot {
  std::string_view path;
  const PathFact* fact;

  // The path without links as far as they are known.
  [[nodiscard]] std::string_view real() const { return fact->real.empty() ? path : std::string_view(fact->real); }
};

// Whether `path` is `folder` or lies in it, by name, by the name behind links, or by what the file is (a bind mount
// gives one folder many names).
bool contains(const Spot& folder, const Spot& path);

struct Case {
  const Profile& profile;
  const Facts& facts;
  std::vector<Spot> granted;  // of each grant, in their order
  Diagnostics findings;

  void error(const Place& place, std::string message, std::string hint = {});
  void warning(const Place& place, std::string message, std::string hint = {});

  // What the machine says of a path; one that nobody looked at counts as missing.
  [[nodiscard]] const PathFact& fact(const std::string& path) const;
  [[nodiscard]] Spot spot(const std::string& path) const { return {path, &fact(path)}; }
  [[nodiscard]] std::string real(const std::string& path) const { return std::string(spot(path).real()); }
  [[nodiscard]] bool contains(const std::string& folder, const std::string& path) const;
};

// Whether some grant shows this path and nothing hides it.
bool is_reachable(const Case& now, const std::string& path);

// rules_paths.cc: what is granted at all
void require_paths(Case& now);  // missing ones, and those that may not be resolved
void refuse_dangerous_grants(Case& now);
void refuse_sockets(Case& now);  // of container engines, buses, agents
void warn_of_granted_secrets(Case& now);
void warn_of_groups(Case& now);

// rules_writes.cc: what a plugin could change that is trusted elsewhere
void refuse_host_executed(Case& now);
void refuse_protected(Case& now);
void refuse_writable_code(Case& now);
void refuse_writable_sockets(Case& now);

// rules_hidden.cc
void check_hidden(Case& now);

// rules_process.cc
void check_programs(Case& now);
void check_environment(Case& now);
void check_syscalls(Case& now);
void check_user(Case& now);
void check_cwd(Case& now);
void check_integrity(Case& now);
void check_limits(Case& now);

// rules_interpreters.cc
void check_interpreters(Case& now);

// rules_network.cc
void check_network(Case& now);

// rules_monitor.cc
void check_monitor(Case& now);

// "also granted in crm.yaml:7:10", for the second line of a contradiction.
std::string see(std::string_view what, const Place& place);

// What names the override of a rule that has one.
inline constexpr std::string_view kOverrideHint = "whoever must have it writes {path: ..., dangerous: true}";

}  // namespace jail::profile
