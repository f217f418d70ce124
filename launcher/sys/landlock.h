// The three Landlock calls (landlock(7), Linux 5.13).
#pragma once

#include <cstdint>
#include <string>

#include "base/fd.h"

namespace jail::sys {

// The ABI version of the running kernel; 0 where Landlock is absent or switched off.
int landlock_abi() noexcept;

struct LandlockHandles {
  std::uint64_t filesystem = 0;  // LANDLOCK_ACCESS_FS_*
  std::uint64_t network = 0;     // LANDLOCK_ACCESS_NET_*, ABI 4
  std::uint64_t scopes = 0;      // LANDLOCK_SCOPE_*, ABI 6
};

Fd landlock_create_ruleset(const LandlockHandles& handles);
// ENOMSG for an access of 0, EINVAL for a directory right on a file.
void landlock_allow_beneath(const Fd& ruleset, const Fd& place, std::uint64_t access, const std::string& subject);
// A port of TCP, ABI 4.
void landlock_allow_port(const Fd& ruleset, std::uint16_t port, std::uint64_t access);
// `flags`: LANDLOCK_RESTRICT_SELF_*, ABI 7.
void landlock_restrict_self(const Fd& ruleset, std::uint32_t flags);

}  // namespace jail::sys
