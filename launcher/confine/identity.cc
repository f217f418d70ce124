#include "confine/identity.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>

#include "base/error.h"
#include "sys/accounts.h"
#include "sys/file.h"
#include "sys/process.h"

namespace jail::confine::identity {
namespace {

constexpr std::uint32_t kNoChange = ~0U;  // to setresuid(2)

std::optional<std::uint32_t> number(std::string_view text) {
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<Account> account_by_number(const std::string& name) {
  const std::size_t colon = name.find(':');
  const auto uid = number(std::string_view(name).substr(0, colon));
  if (!uid) return std::nullopt;
  if (colon == std::string::npos) return Account{*uid, *uid};
  const auto gid = number(std::string_view(name).substr(colon + 1));
  if (!gid) return std::nullopt;
  return Account{*uid, *gid};
}

std::string map_line(std::uint32_t id) {
  const std::string text = std::to_string(id);
  return text + " " + text + " 1";
}

Plan started_by_root(const profile::User& user, const Launcher& launcher, std::optional<Account> named) {
  Plan plan{.uid = kUnprivilegedId, .gid = kUnprivilegedId, .by_root = true, .kept_groups = {}, .problem = {}};
  if (user.kind == profile::User::Kind::Root) {
    plan.uid = launcher.uid;
    plan.gid = launcher.gid;
  } else if (user.kind == profile::User::Kind::Named) {
    if (!named) plan.problem = "no such user '" + user.name + "'";
    else if (named->uid == 0 || named->gid == 0) plan.problem = "'" + user.name + "' is root";
    else if (named->uid == kNoChange || named->gid == kNoChange) plan.problem = "'" + user.name + "' is nobody's id";
    else plan.uid = named->uid, plan.gid = named->gid;
  }
  return plan;
}

Plan started_by_user(const profile::User& user, const Launcher& launcher, std::optional<Account> named) {
  Plan plan{.uid = launcher.uid, .gid = launcher.gid, .by_root = false, .kept_groups = launcher.groups, .problem = {}};
  const bool other =
      user.kind == profile::User::Kind::Root ||
      (user.kind == profile::User::Kind::Named && (!named || named->uid != launcher.uid || named->gid != launcher.gid));
  const bool roots_group = launcher.gid == 0 || std::ranges::find(launcher.groups, 0U) != launcher.groups.end();
  if (other) plan.problem = "only root can run a plugin as another user or group";
  else if (roots_group) plan.problem = "the launcher is in root's group, which an ordinary user cannot give up";
  return plan;
}

}  // namespace

std::optional<Account> find_account(const std::string& name) {
  if (const auto account = account_by_number(name)) return account;
  const auto found = sys::account_named(name);
  return found ? std::optional(Account{found->uid, found->gid}) : std::nullopt;
}

Plan plan(const profile::Setting<profile::User>& wanted, const Launcher& launcher, std::optional<Account> named) {
  return launcher.uid == 0 ? started_by_root(wanted.value, launcher, named)
                           : started_by_user(wanted.value, launcher, named);
}

void write_own_maps(std::uint32_t uid, std::uint32_t gid) {
  sys::write_file("/proc/self/setgroups", "deny");
  sys::write_file("/proc/self/uid_map", map_line(uid));
  sys::write_file("/proc/self/gid_map", map_line(gid));
}

void write_maps(const Plan& plan, pid_t init) {
  const std::string folder = "/proc/" + std::to_string(init);
  sys::write_file(folder + "/uid_map", map_line(plan.uid));
  sys::write_file(folder + "/gid_map",
                  map_line(plan.gid));  // setgroups(2) stays: root's groups must be dropped with it
}

void enforce(const Plan& plan) {
  if (plan.by_root) {
    sys::set_groups_empty();
    sys::set_ids(plan.uid, plan.gid);
  }
  sys::join_new_session_keyring();
}

bool verify(const Plan& plan) {
  uid_t uids[3];
  gid_t gids[3];
  check(::getresuid(&uids[0], &uids[1], &uids[2]), "getresuid");
  check(::getresgid(&gids[0], &gids[1], &gids[2]), "getresgid");
  for (int i = 0; i < 3; ++i)
    if (uids[i] != plan.uid || gids[i] != plan.gid) return false;
  return !plan.by_root || sys::supplementary_groups().empty();
}

}  // namespace jail::confine::identity
