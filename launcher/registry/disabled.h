// Profiles that nobody may run for now: `jail disable`. One file for each below a folder that no jail can write; what
// root has disabled holds for everybody. Whoever cannot tell whether a profile is disabled takes it to be.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

namespace jail::registry {

struct Disabled {
  std::string profile;  // empty: all of them
  std::string reason;   // may be empty
  uid_t by = 0;
  std::string since;  // RFC 3339
};

// Root's, which holds for everybody; and "$XDG_STATE_HOME/jail/disabled" of a user.
inline constexpr const char* kDisabledByRoot = "/etc/jail/disabled";

// `folders`: of root and of the user. Nothing: it may run. SysError never: what cannot be read is a reason.
std::optional<Disabled> find_disabled(const std::vector<std::string>& folders, const std::string& profile);
std::vector<Disabled> list_disabled(const std::vector<std::string>& folders);

// Lasting once it returns (fsync(2)). SysError.
void disable(const std::string& folder, const Disabled& what);
// False: it was not disabled there. SysError.
bool enable(const std::string& folder, const std::string& profile);

}  // namespace jail::registry
