// One line of a table: an attack, what it must get inside the jail, and the control that shows the attack works where
// nothing stops it. A case without a control says why there is none.
#pragma once

#include <functional>
#include <map>
#include <ostream>
#include <set>
#include <string>
#include <vector>

#include "scene.h"

namespace jail::test {

using Errors = std::set<std::string>;

// What the kernel may answer, by who answers.
inline const Errors kFiltered = {"EPERM", "ENOSYS"};                   // the system-call filter
inline const Errors kNotThere = {"ENOENT", "EACCES"};                // the view; or Landlock, where a parent is visible
inline const Errors kReadOnly = {"EROFS", "EACCES", "EPERM"};          // a read-only mount, Landlock, the filter
inline const Errors kElsewhere = {"EXDEV", "EROFS", "EACCES", "ENOENT", "EPERM"};  // another mount
inline const Errors kNotRunnable = {"EACCES", "EPERM", "ENOENT", "ENOSYS", "EINVAL"};
inline const Errors kNobody = {"ESRCH", "EPERM", "ENOSYS"};            // the process does not exist in there
inline const Errors kAny = {};

enum class Expect { Denied, Allowed, DeniedOrRefused, Refused };

struct Control {
  enum class Kind { Outside, OutsideAsRoot, Granted, None };
  Kind kind = Kind::Outside;
  Profile granted = {};         // Granted: what the profile says in addition
  std::string why = {};         // None
  Errors unsupported = {};      // with this answer the control is skipped: the machine has no such thing
};

inline Control outside() { return {}; }
inline Control outside_as_root() { return {.kind = Control::Kind::OutsideAsRoot}; }
inline Control where_supported(Errors errors) { return {.unsupported = std::move(errors)}; }
inline Control as_root_where_supported(Errors errors) {
  return {.kind = Control::Kind::OutsideAsRoot, .unsupported = std::move(errors)};
}
inline Control granted(Profile profile) { return {.kind = Control::Kind::Granted, .granted = std::move(profile)}; }
inline Control no_control(std::string why) { return {.kind = Control::Kind::None, .why = std::move(why)}; }

enum class Only { Both, Root, User };

struct Case {
  std::string name;
  std::vector<std::string> attack;
  Errors errors = kAny;             // errno names that count as the right denial; empty: any
  Expect expect = Expect::Denied;   // Refused: 125, and the reason names `names`
  Profile profile = {};             // beside the scene's own grants of {read}, {write} and the attacker
  bool filtered = false;            // the detail must not say that the kernel was asked
  Control control = {};
  std::vector<std::string> control_attack = {};            // outside: other words, where the jail's own are special
  std::string event = {};           // kind of the record of a denial that must stand in the log
  std::vector<std::string> options = {};                   // of `jail run`, before the profile
  std::map<std::string, std::string> environment = {};     // of the launcher, beside the scene's own
  std::vector<gid_t> groups = {};                          // supplementary ones of the launcher
  std::function<void(Scene&)> setup = {};
  std::function<void(const Scene&)> prepare = {};          // in the launching child, still as the driver's identity
  std::function<bool(const Scene&)> host_was_hit = {};     // decides instead of the attack's own verdict
  Only only = Only::Both;
  std::string names = {};           // Refused: what the message must name
  int from_abi = 0;                 // Landlock ABI below which the documents promise less
};

std::ostream& operator<<(std::ostream& out, const Case& one);

std::vector<Case> abi_cases();
std::vector<Case> path_cases();
std::vector<Case> mount_cases();
std::vector<Case> descriptor_cases();
std::vector<Case> ipc_cases();
std::vector<Case> socket_cases();
std::vector<Case> identity_cases();
std::vector<Case> secret_cases();
std::vector<Case> resource_cases();
std::vector<Case> change_cases();

}  // namespace jail::test
