#include "profile/validate.h"

#include <algorithm>
#include <array>
#include <tuple>

#include "profile/glob.h"
#include "profile/host_executed.h"
#include "profile/paths.h"
#include "profile/rules.h"

namespace jail::profile {
namespace {

constexpr std::array kRules{require_paths, refuse_dangerous_grants, refuse_sockets,
                            warn_of_granted_secrets, warn_of_groups, refuse_host_executed,
                            refuse_protected, refuse_writable_code, refuse_writable_sockets,
                            check_hidden, check_programs, check_interpreters,
                            check_environment, check_syscalls, check_user,
                            check_cwd, check_integrity, check_limits,
                            check_network, check_monitor};

// Those that need nothing but the grant.
constexpr std::array kRulesOfOne{refuse_dangerous_grants, refuse_sockets, refuse_host_executed, refuse_protected};

void sort_by_place(Diagnostics& findings, const Profile& profile) {
  const auto rank = [&](const Diagnostic& one) {
    const auto source = std::ranges::find(profile.sources, one.place.file, &SourceFile::path);
    return std::tuple(source - profile.sources.begin(), one.place.line, one.place.column);
  };
  std::ranges::stable_sort(findings, {}, rank);
}

void add(Diagnostics& findings, Diagnostic::Severity severity, const Place& place, std::string message,
         std::string hint) {
  findings.push_back({severity, place, std::move(message), std::move(hint)});
}

}  // namespace

void Case::error(const Place& place, std::string message, std::string hint) {
  add(findings, Diagnostic::Severity::Error, place, std::move(message), std::move(hint));
}

void Case::warning(const Place& place, std::string message, std::string hint) {
  add(findings, Diagnostic::Severity::Warning, place, std::move(message), std::move(hint));
}

const PathFact& Case::fact(const std::string& path) const {
  static const PathFact unknown;
  const auto found = facts.paths.find(path);
  return found == facts.paths.end() ? unknown : found->second;
}

bool contains(const Spot& folder, const Spot& path) {
  if (is_within(path.path, folder.path) || is_within(path.real(), folder.real())) return true;
  return folder.fact->kind != PathKind::Missing &&
         std::ranges::find(path.fact->chain, folder.fact->identity) != path.fact->chain.end();
}

bool Case::contains(const std::string& folder, const std::string& path) const {
  return profile::contains(spot(folder), spot(path));
}

bool is_reachable(const Case& now, const std::string& path) {
  const auto& [grants, hidden, temporary] = now.profile.filesystem;
  const auto holds = [&](const auto& entry) { return now.contains(entry.path, path); };
  return std::ranges::any_of(grants, holds) && std::ranges::none_of(hidden, holds);
}

std::string see(std::string_view what, const Place& place) { return std::string(what) + " in " + to_string(place); }

Diagnostics validate(const Profile& profile, const Facts& facts) {
  Case now{profile, facts, {}, {}};
  for (const Grant& grant : profile.filesystem.grants) now.granted.push_back(now.spot(grant.path));
  for (const auto rule : kRules) rule(now);
  sort_by_place(now.findings, profile);
  return std::move(now.findings);
}

Standing standing_of(Grant grant, const Facts& facts) {
  for (const bool dangerous : {false, true}) {
    grant.dangerous = dangerous;
    Profile alone;
    alone.filesystem.grants = {grant};
    Case now{alone, facts, {}, {}};
    for (const auto rule : kRulesOfOne) rule(now);
    if (!has_errors(now.findings)) return dangerous ? Standing::Dangerous : Standing::Granted;
  }
  return Standing::Refused;
}

std::vector<std::string> paths_of_interest(const Profile& profile) {
  std::vector<std::string> paths;
  for (const Grant& grant : profile.filesystem.grants) {
    paths.push_back(grant.path);
    if (grant.access != Access::Write) continue;
    for (const std::string_view name : telling_names()) paths.push_back(joined(grant.path, name));
  }
  for (const Hidden& hidden : profile.filesystem.hidden) paths.push_back(hidden.path);
  for (const UnixSocket& socket : profile.network.unix_sockets) paths.push_back(socket.path);
  if (!profile.cwd.value.empty()) paths.push_back(profile.cwd.value);
  if (profile.integrity) paths.push_back(profile.integrity->path);
  for (const HashPattern& pattern : profile.monitor.hash) paths.push_back(parse_glob(pattern.glob).root);
  if (!profile.plugin.empty()) paths.push_back(profile.plugin);
  if (!profile.state.empty()) paths.push_back(profile.state);
  std::ranges::sort(paths);
  paths.erase(std::unique(paths.begin(), paths.end()), paths.end());
  return paths;
}

}  // namespace jail::profile
