#include "run/facts.h"

#include <fcntl.h>
#include <grp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <sstream>

#include "base/error.h"
#include "profile/validate.h"
#include "run/interpreters.h"
#include "run/resolve.h"
#include "sys/file.h"
#include "sys/machine.h"
#include "sys/mountinfo.h"
#include "sys/process.h"

extern char** environ;

namespace jail::run {
namespace {

std::optional<std::string> variable(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

std::vector<std::string> split_path(const char* text) {
  std::vector<std::string> parts;
  std::istringstream stream(text == nullptr ? "" : text);
  for (std::string part; std::getline(stream, part, ':');)
    if (part.starts_with('/')) parts.push_back(part);
  return parts;
}

// Where a plugin may have planted a link: what this profile lets it write, its own folder, every plugin's state.
std::vector<std::string> untrusted_trees(const profile::Profile& profile, const Places& places,
                                         const std::map<std::string, std::string>& set) {
  std::vector<std::string> trees{places.state};
  for (const profile::Grant& grant : profile.filesystem.grants)
    if (grant.access == profile::Access::Write) trees.push_back(grant.path);
  const auto plugin = set.find("plugin");
  if (plugin != set.end()) trees.push_back(plugin->second);
  return trees;
}

void add_interpreters(profile::Facts& facts, const profile::Profile& profile, const Resolver& resolver) {
  for (const profile::Grant& grant : profile.filesystem.grants) {
    if (grant.access != profile::Access::Exec) continue;
    profile::PathFact& fact = facts.paths[grant.path];
    if (fact.kind == profile::PathKind::Missing || !fact.refused.empty()) continue;
    fact.interpreters = fact.kind == profile::PathKind::Directory ? standard_loaders() : interpreters_of(fact.real);
    if (!fact.interpreters.empty()) fact.foreign = resolver.foreign(fact.real);
    for (const std::string& interpreter : fact.interpreters) {
      const auto [found, fresh] = facts.paths.try_emplace(interpreter);
      if (fresh) found->second = resolver.resolve(interpreter);
      found->second.foreign = resolver.foreign(found->second.real);
    }
  }
}

// From the file alone: no name service is asked (DECISIONS 15). Ids without a line there have no name.
std::map<std::uint32_t, std::string> names_of(const std::vector<std::uint32_t>& groups) {
  std::map<std::uint32_t, std::string> names;
  if (groups.empty()) return names;
  const std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen("/etc/group", "re"), std::fclose);
  while (const group* entry = file ? ::fgetgrent(file.get()) : nullptr)
    if (std::find(groups.begin(), groups.end(), entry->gr_gid) != groups.end()) names[entry->gr_gid] = entry->gr_name;
  return names;
}

}  // namespace

profile::Inputs inputs_of(const Places& places, std::map<std::string, std::string> set) {
  profile::Inputs inputs;
  const std::uint32_t uid = ::geteuid();
  inputs.read_file = [uid](const std::string& path) { return read_trusted(path, uid); };
  inputs.find_template = [places](const std::string& name) { return find_profile(places, name); };
  inputs.environment = variable;
  inputs.set = std::move(set);
  inputs.home = places.home;
  inputs.user = variable("USER").value_or(std::to_string(uid));
  inputs.state_root = places.state;
  return inputs;
}

profile::Facts facts_of_operator(const Places& places, const std::vector<std::string>& deciding_files,
                                 Chains& chains) {
  profile::Facts facts;
  facts.protected_places = protected_places(places, deciding_files, chains);
  facts.home = places.home;
  facts.runtime = variable("XDG_RUNTIME_DIR").value_or("");
  facts.search_path = split_path(std::getenv("PATH"));
  facts.memory = sys::memory_of_machine().ram;
  const confine::identity::Launcher who = launcher();
  facts.uid = who.uid;
  facts.groups = who.groups;
  facts.group_names = names_of(who.groups);
  return facts;
}

profile::Facts collect(const profile::Profile& profile, const Places& places,
                       const std::map<std::string, std::string>& set) {
  Chains chains;
  std::vector<std::string> deciding;
  for (const profile::SourceFile& source : profile.sources) deciding.push_back(source.path);
  profile::Facts facts = facts_of_operator(places, deciding, chains);
  const Resolver resolver(untrusted_trees(profile, places, set), ::geteuid(), chains);
  for (const std::string& path : profile::paths_of_interest(profile))
    if (!facts.paths.contains(path)) facts.paths.emplace(path, resolver.resolve(path));
  add_interpreters(facts, profile, resolver);
  if (!facts.home.empty()) facts.paths.emplace(facts.home, resolver.resolve(facts.home));
  return facts;
}

std::vector<confine::view::MountPoint> collect_mounts(const profile::Profile& profile) {
  std::vector<confine::view::MountPoint> mounts;
  if (profile.filesystem.hidden.empty()) return mounts;
  const Fd mountinfo = sys::open_at("/proc/self/mountinfo", O_RDONLY, sys::Resolve::Anything);
  for (sys::MountEntry& entry : sys::read_mounts(mountinfo)) {
    struct stat status {};
    if (::stat(entry.path.c_str(), &status) == 0)
      mounts.push_back({std::move(entry.path), {status.st_dev, status.st_ino}});
  }
  return mounts;
}

confine::identity::Launcher launcher() {
  confine::identity::Launcher who{.uid = ::geteuid(), .gid = ::getegid(), .groups = {}};
  for (const gid_t group : sys::supplementary_groups())
    if (group != who.gid) who.groups.push_back(group);
  return who;
}

std::vector<std::string> environment() {
  std::vector<std::string> variables;
  for (char** entry = environ; *entry != nullptr; ++entry) variables.emplace_back(*entry);
  return variables;
}

}  // namespace jail::run
