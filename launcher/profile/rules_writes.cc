// What a plugin could change that somebody trusts: programs and settings the host runs, jail's own files and those that
// decided this run, the plugin's code and what this profile starts.
#include <algorithm>

#include "profile/glob.h"
#include "profile/host_executed.h"
#include "profile/paths.h"
#include "profile/quoted.h"
#include "profile/rules.h"

namespace jail::profile {
namespace {

template <typename Use>
void each_write(const Case& now, Use use) {
  for (const Grant& grant : now.profile.filesystem.grants)
    if (grant.access == Access::Write) use(grant);
}

std::optional<std::string> executed(const Case& now, const Grant& grant) {
  if (auto found = executed_place(grant.path, now.facts.home)) return found;
  return executed_place(now.real(grant.path), now.facts.home);
}

// A program's folder in the operator's PATH: inside it, or around it.
std::optional<std::string> on_search_path(const Case& now, const Grant& grant) {
  for (const std::string& folder : now.facts.search_path)
    if (now.contains(grant.path, folder) || now.contains(folder, grant.path)) return folder;
  return std::nullopt;
}

void refuse_executed(Case& now, const Grant& grant) {
  if (grant.dangerous) return;
  const auto refuse = [&](const std::string& why, const std::string& hint = std::string(kOverrideHint)) {
    now.error(grant.place, "write of " + quoted(grant.path) + ": " + why, hint);
  };
  if (const auto place = executed(now, grant)) return refuse("the host runs what stands in " + quoted(*place));
  if (const auto folder = on_search_path(now, grant)) return refuse(quoted(*folder) + " is in the operator's PATH");
  for (const std::string_view name : telling_names())
    if (now.fact(joined(grant.path, name)).kind != PathKind::Missing)
      return refuse("it holds " + quoted(name) + ", which programs on the host obey",
                    "look at it: a plugin could write here before, so if it made that, remove it; " +
                        std::string(kOverrideHint));
}

bool contains_identity(const std::vector<Identity>& chain, const Identity& identity) {
  return std::ranges::find(chain, identity) != chain.end();
}

// By name, and by what the files are, whatever they are called. A missing place has no identity: its chain begins with
// a folder that others use too.
bool touches(const Case& now, const Grant& grant, const ProtectedPlace& place) {
  if (is_within(grant.path, place.path) || is_within(place.path, grant.path)) return true;
  const std::string real = now.real(grant.path);
  if (is_within(real, place.path) || is_within(place.path, real)) return true;
  const PathFact& fact = now.fact(grant.path);
  if (fact.kind != PathKind::Missing && contains_identity(place.chain, fact.identity)) return true;
  return !place.missing && !place.chain.empty() && contains_identity(fact.chain, place.chain.front());
}

// Of jail's data only this profile's own state is the plugin's; the folder around it holds the state of all others.
bool touches_others_state(const Case& now, const Grant& grant) {
  const std::string& own = now.profile.state;
  if (own.empty() || is_within(grant.path, own)) return false;
  const std::string data(folder_of(folder_of(own)));  // DATA of DATA/state/NAME
  return now.contains(data, grant.path) || now.contains(grant.path, own);
}

void refuse_code(Case& now, const Grant& write, const std::string& path, const std::string& what) {
  if (now.contains(write.path, path))
    now.error(write.place, "write of " + quoted(write.path) + " covers " + what,
              "grant a folder beside it: what a plugin may change must not be what is run");
}

// With the loader or "#!" program that starting it starts: the plan grants those too.
void refuse_granted_code(Case& now, const Grant& write, const Grant& code) {
  if (code.access != Access::Exec && code.access != Access::Library) return;
  refuse_code(now, write, code.path, quoted(code.path) + ", " + see("run as code", code.place));
  for (const std::string& interpreter : now.fact(code.path).interpreters)
    refuse_code(now, write, interpreter, quoted(interpreter) + ", " + see("which starts the program", code.place));
}

// Where every match lies in what is written, the pattern has no sense; where some may, it has for the others.
void check_writable_digest(Case& now, const Grant& write, const HashPattern& pattern) {
  const Glob glob = parse_glob(pattern.glob);
  const std::string what = "files of " + see("monitor.hash", pattern.place);
  if (now.contains(write.path, glob.root)) refuse_code(now, write, glob.root, what);
  else if (may_match_at(glob, write.path) || may_match_at(glob, now.real(write.path)))
    now.warning(write.place, "write of " + quoted(write.path) + " may cover " + what,
                "what the plugin changes after its start is not in the log: hash other files, or write elsewhere");
}

void refuse_writable_digests(Case& now, const Grant& write) {
  for (const HashPattern& pattern : now.profile.monitor.hash) check_writable_digest(now, write, pattern);
  if (!now.profile.integrity) return;
  const Integrity& integrity = *now.profile.integrity;
  if (now.contains(write.path, integrity.path) || now.contains(integrity.path, write.path))
    now.error(write.place,
              "write of " + quoted(write.path) + " changes the tree of " + see("integrity", integrity.place),
              "the next run would be refused: grant a folder outside it");
}

}  // namespace

void refuse_host_executed(Case& now) {
  each_write(now, [&](const Grant& grant) { refuse_executed(now, grant); });
}

void refuse_protected(Case& now) {
  each_write(now, [&](const Grant& grant) {
    for (const ProtectedPlace& place : now.facts.protected_places)
      if (touches(now, grant, place))
        now.error(grant.place,
                  "write of " + quoted(grant.path) + " reaches " + place.what + " (" + quoted(place.path) + ")",
                  "a plugin could change what decides its own jail");
    if (touches_others_state(now, grant))
      now.error(grant.place, "write of " + quoted(grant.path) + " reaches other plugins' state",
                "this profile's own is ${state}");
  });
}

void refuse_writable_sockets(Case& now) {
  each_write(now, [&](const Grant& write) {
    for (const UnixSocket& socket : now.profile.network.unix_sockets)
      if (now.contains(write.path, socket.path))
        now.error(socket.place,
                  quoted(socket.path) + " lies in " + quoted(write.path) + ", which the plugin may write",
                  "it could put another socket in its place: grant the folders beside it for writing");
  });
}

void refuse_writable_code(Case& now) {
  each_write(now, [&](const Grant& write) {
    for (const Grant& code : now.profile.filesystem.grants) refuse_granted_code(now, write, code);
    if (!now.profile.plugin.empty()) refuse_code(now, write, now.profile.plugin, "the plugin's own code (${plugin})");
    refuse_writable_digests(now, write);
  });
}

}  // namespace jail::profile
