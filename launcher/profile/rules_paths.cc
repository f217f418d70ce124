// What a profile makes visible at all: paths that are not there or may not be followed, and grants that open far more
// than they name.
#include <fnmatch.h>

#include <algorithm>
#include <array>

#include "profile/dangers.h"
#include "profile/paths.h"
#include "profile/presets.h"
#include "profile/quoted.h"
#include "profile/rules.h"

namespace jail::profile {
namespace {

std::string_view word_for(Access access) {
  switch (access) {
    case Access::Read: return "read";
    case Access::Library: return "libraries";
    case Access::Exec: return "exec";
    case Access::Write: return "write";
  }
  return {};
}

// `run` makes what the plugin may write of its state folder before it looks; `check` may come before the first run.
bool will_be_made(const Case& now, const Grant& grant) {
  return grant.access == Access::Write && !now.profile.state.empty() && is_within(grant.path, now.profile.state);
}

// True when there is something to judge further.
bool is_resolved(Case& now, const std::string& path, const Place& place) {
  const PathFact& fact = now.fact(path);
  if (!fact.refused.empty())
    now.error(place, quoted(path) + ": " + fact.refused,
              "grant the place the link leads to by its own name, if that is what is meant");
  return fact.refused.empty();
}

void require_grant(Case& now, const Grant& grant) {
  if (!is_resolved(now, grant.path, grant.place) || grant.optional || will_be_made(now, grant)) return;
  if (now.fact(grant.path).kind == PathKind::Missing)
    now.error(grant.place, quoted(grant.path) + ": no such file or folder",
              "create it, or write {path: ..., optional: true} if the plugin can do without");
}

void require_socket(Case& now, const UnixSocket& socket) {
  if (!is_resolved(now, socket.path, socket.place)) return;
  const PathKind kind = now.fact(socket.path).kind;
  if (kind == PathKind::Missing) now.error(socket.place, quoted(socket.path) + ": no such socket");
  if (kind != PathKind::Missing && kind != PathKind::Socket)
    now.error(socket.place, quoted(socket.path) + " is no socket", "grant files under filesystem");
}

void refuse(Case& now, const Grant& grant, std::string_view reason, Override override_by) {
  if (override_by == Override::Named && grant.dangerous) return;
  now.error(grant.place,
            std::string(word_for(grant.access)) + " of " + quoted(grant.path) + " is dangerous: " + std::string(reason),
            override_by == Override::Named ? std::string(kOverrideHint) : "grant the folders the plugin needs");
}

// The folder of a session's sockets: anybody's where systemd puts it, this operator's wherever it is.
bool is_runtime_folder(const Case& now, std::string_view path) {
  if (path == now.facts.runtime) return true;
  return path.starts_with("/run/user/") && path.find('/', 10) == std::string_view::npos;
}

void refuse_grant(Case& now, const Grant& grant) {
  const std::string real = now.real(grant.path);
  const Danger* danger = danger_of(grant.path);
  if (danger == nullptr) danger = danger_of(real);
  if (danger != nullptr) return refuse(now, grant, danger->reason, danger->override_by);
  if (is_runtime_folder(now, grant.path) || is_runtime_folder(now, real))
    return refuse(now, grant, "it holds the sockets of a user's session", Override::Named);
  if (!now.facts.home.empty() && now.contains(grant.path, now.facts.home))
    refuse(now, grant, "it holds the operator's whole home: keys, tokens, history", Override::Named);
}

bool matches(const DangerousSocket& socket, const std::string& path) {
  if (::fnmatch(socket.pattern.data(), path.c_str(), FNM_PATHNAME) == 0) return true;
  return socket.pattern.ends_with("/*") &&
         ::fnmatch(std::string(folder_of(socket.pattern)).c_str(), path.c_str(), FNM_PATHNAME) == 0;
}

const DangerousSocket* socket_named(const std::string& path) {
  // /var/run is a link to /run nearly everywhere, and a missing path cannot show that it is one here.
  if (path.starts_with("/var/run/")) return socket_named(path.substr(4));
  if (!path.starts_with("/run/") && !path.starts_with("/tmp/") && !path.starts_with("/var/")) return nullptr;
  for (const DangerousSocket& socket : dangerous_sockets())
    if (matches(socket, path)) return &socket;
  return nullptr;
}

const DangerousSocket* socket_at(const Case& now, const std::string& path) {
  const DangerousSocket* by_name = socket_named(path);
  return by_name != nullptr ? by_name : socket_named(now.real(path));
}

void refuse_socket(Case& now, const std::string& path, const Place& place, bool dangerous) {
  const DangerousSocket* socket = socket_at(now, path);
  if (socket == nullptr || (dangerous && socket->override_by == Override::Named)) return;
  now.error(place, quoted(path) + " belongs to " + std::string(socket->owner),
            socket->override_by == Override::Named ? std::string(kOverrideHint) : "");
}

void check_socket_kind(Case& now, const Grant& grant) {
  if (now.fact(grant.path).kind == PathKind::Socket)
    now.error(grant.place, quoted(grant.path) + " is a socket, which no file access reaches",
              "list it under network.unix");
}

bool is_hidden(const Case& now, const std::string& path) {
  return std::ranges::any_of(now.profile.filesystem.hidden,
                             [&](const Hidden& hidden) { return now.contains(hidden.path, path); });
}

// Cheap, for the many grants that have nothing to do with the home.
bool touches_home(const Case& now, const Grant& grant) {
  return is_within(grant.path, now.facts.home) || is_within(now.real(grant.path), now.facts.home) ||
         now.contains(grant.path, now.facts.home);
}

void warn_of_secrets_in(Case& now, const Grant& grant) {
  for (const Preset& preset : presets())
    for (const std::string_view below : preset.below) {
      const std::string secret = joined(now.facts.home, below);
      if (!now.contains(secret, grant.path) && !now.contains(grant.path, secret)) continue;
      if (is_hidden(now, secret)) continue;
      return now.warning(
          grant.place,
          quoted(grant.path) + " reaches " + quoted("~/" + std::string(below)) + ", where secrets are kept",
          "hide it: \"preset:" + std::string(preset.name) + "\"");
    }
}

bool gives_the_machine(std::string_view group) {
  constexpr std::array<std::string_view, 8> kGroups{"docker", "lxd",     "incus",  "disk",
                                                    "kvm",    "libvirt", "podman", "shadow"};
  return std::ranges::find(kGroups, group) != kGroups.end();
}

// Reached by the group alone: the operator does not own it and others have no rights to it.
bool is_reached_by_group(const Case& now, const PathFact& fact) {
  return fact.kind != PathKind::Missing && fact.owner != now.facts.uid && (fact.mode & 070) != 0 &&
         (fact.mode & 07) == 0 && std::ranges::find(now.facts.groups, fact.group) != now.facts.groups.end();
}

std::string group_name(const Case& now, std::uint32_t group) {
  const auto found = now.facts.group_names.find(group);
  return found == now.facts.group_names.end() ? std::to_string(group) : found->second;
}

void check_group_of(Case& now, const std::string& path, const Place& place, bool dangerous) {
  const PathFact& fact = now.fact(path);
  if (now.facts.uid == 0 || !is_reached_by_group(now, fact)) return;
  const std::string group = group_name(now, fact.group);
  const std::string message = quoted(path) + " is reached only by group " + quoted(group) +
                              ", which a jail started by an ordinary user cannot give up";
  if (gives_the_machine(group) && !dangerous) now.error(place, message, std::string(kOverrideHint));
  else now.warning(place, message);
}

}  // namespace

void require_paths(Case& now) {
  for (const Grant& grant : now.profile.filesystem.grants) require_grant(now, grant);
  for (const UnixSocket& socket : now.profile.network.unix_sockets) require_socket(now, socket);
}

void refuse_dangerous_grants(Case& now) {
  for (const Grant& grant : now.profile.filesystem.grants) refuse_grant(now, grant);
}

void refuse_sockets(Case& now) {
  for (const UnixSocket& socket : now.profile.network.unix_sockets)
    refuse_socket(now, socket.path, socket.place, socket.dangerous);
  for (const Grant& grant : now.profile.filesystem.grants) {
    refuse_socket(now, grant.path, grant.place, grant.dangerous);
    check_socket_kind(now, grant);
  }
}

void warn_of_granted_secrets(Case& now) {
  if (now.facts.home.empty()) return;
  for (const Grant& grant : now.profile.filesystem.grants)
    if (touches_home(now, grant)) warn_of_secrets_in(now, grant);
}

void warn_of_groups(Case& now) {
  for (const Grant& grant : now.profile.filesystem.grants)
    check_group_of(now, grant.path, grant.place, grant.dangerous);
  for (const UnixSocket& socket : now.profile.network.unix_sockets)
    check_group_of(now, socket.path, socket.place, socket.dangerous);
  if (now.facts.uid == 0) return;  // root's groups are cleared
  for (const std::uint32_t group : now.facts.groups)
    if (gives_the_machine(group_name(now, group)))
      now.warning(now.profile.place,
                  "the plugin keeps group " + quoted(group_name(now, group)) +
                      ": an ordinary user's jail cannot give groups up",
                  "start it as a user outside that group, or as root");
}

}  // namespace jail::profile
