// Pid 1 of a jail. It is forked before the profile is read, so it never holds anything of it, and makes the namespaces
// while the supervisor reads. Afterwards it reaps orphans and waits for its own end, which is the end of everything in
// the jail (pid_namespaces(7)).
#pragma once

#include <cstdint>

#include "base/fd.h"

namespace jail::run {

// Who pid 1 is. A root launcher does not know yet (`user:` of the profile) and writes the maps itself.
enum class Maps { OwnId, ByLauncher };

// Whether it is in its control group. Who is still to be moved there is told when that is done.
enum class InGroup { FromTheStart, Later };

// In a fresh child in namespaces::kFirst. Never returns.
[[noreturn]] void become_init(Fd supervisor, std::uint32_t uid, std::uint32_t gid, Maps maps,
                              InGroup in_group) noexcept;

}  // namespace jail::run
