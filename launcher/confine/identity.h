// Who the plugin is: never host uid or gid 0 (SECURITY A1), no supplementary group that can be dropped (A3), a session
// keyring of its own (A5).
//
// A user's own id is mapped to itself. Started by root, the plugin gets the id of `user:`, else a fixed one that no
// account has; root writes the map from outside, because only it may map an id that is not its own.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "confine/layer.h"
#include "profile/profile.h"

namespace jail::confine::identity {

// 65520-65533 lies above systemd's dynamic users (61184-65519) and in the range that Debian policy 9.2.2 keeps free.
inline constexpr std::uint32_t kUnprivilegedId = 65528;

// Who starts the jail.
struct Launcher {
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::vector<std::uint32_t> groups;  // supplementary
};

struct Account {
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
};
// `name` of /etc/passwd, "uid" or "uid:gid". Reads the file itself: a static program must not load name services.
std::optional<Account> find_account(const std::string& name);

struct Plan {
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  bool by_root = false;  // root maps what ids it likes, and all of its own must go
  std::vector<std::uint32_t> kept_groups;  // an ordinary user cannot drop them
  std::string problem;                     // not empty: the run must be refused
};

Plan plan(const profile::Setting<profile::User>& wanted, const Launcher& launcher, std::optional<Account> named);

// An ordinary user's way: pid 1 of the new user namespace maps its own id to itself, and gives up setgroups(2).
void write_own_maps(std::uint32_t uid, std::uint32_t gid);
// Root's way: the launcher maps the id it has chosen, and nothing else, for pid 1.
void write_maps(const Plan& plan, pid_t init);

// In a process of the mapped user namespace: the ids, no further group, a fresh session keyring.
void enforce(const Plan& plan);
// The ids are the planned ones, all four of them.
bool verify(const Plan& plan);

}  // namespace jail::confine::identity
