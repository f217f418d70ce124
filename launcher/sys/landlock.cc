#include "sys/landlock.h"

#include <linux/landlock.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/error.h"

namespace jail::sys {
namespace {

// The kernel's landlock_ruleset_attr up to ABI 6. It accepts a shorter or longer structure as long as the bytes it
// does not know are zero (copy_struct_from_user), so one size serves every kernel.
struct RulesetAttributes {
  std::uint64_t handled_access_fs;
  std::uint64_t handled_access_net;
  std::uint64_t scoped;
};

// landlock_net_port_attr and LANDLOCK_RULE_NET_PORT, which Debian 12's header does not have yet.
struct PortAttributes {
  std::uint64_t allowed_access;
  std::uint64_t port;  // in host order
};
constexpr int kRuleOfPort = 2;

}  // namespace

int landlock_abi() noexcept {
  const long abi = ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  return abi < 0 ? 0 : static_cast<int>(abi);
}

Fd landlock_create_ruleset(const LandlockHandles& handles) {
  const RulesetAttributes attributes{handles.filesystem, handles.network, handles.scopes};
  return Fd(static_cast<int>(check(::syscall(SYS_landlock_create_ruleset, &attributes, sizeof attributes, 0),
                                   "landlock_create_ruleset")));
}

void landlock_allow_beneath(const Fd& ruleset, const Fd& place, std::uint64_t access, const std::string& subject) {
  const landlock_path_beneath_attr rule{.allowed_access = access, .parent_fd = place.get()};
  check(::syscall(SYS_landlock_add_rule, ruleset.get(), LANDLOCK_RULE_PATH_BENEATH, &rule, 0), "landlock_add_rule",
        subject);
}

void landlock_allow_port(const Fd& ruleset, std::uint16_t port, std::uint64_t access) {
  const PortAttributes rule{.allowed_access = access, .port = port};
  check(::syscall(SYS_landlock_add_rule, ruleset.get(), kRuleOfPort, &rule, 0), "landlock_add_rule",
        std::to_string(port));
}

void landlock_restrict_self(const Fd& ruleset, std::uint32_t flags) {
  check(::syscall(SYS_landlock_restrict_self, ruleset.get(), flags), "landlock_restrict_self");
}

}  // namespace jail::sys
