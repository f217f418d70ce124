// seccomp(2), Linux 3.17: one function per operation.
#pragma once

#include <linux/filter.h>

#include <cstdint>
#include <span>

namespace jail::sys {

// SECCOMP_SET_MODE_FILTER for the calling thread. The listener with SECCOMP_FILTER_FLAG_NEW_LISTENER, else 0; negative:
// -errno. EACCES: neither no_new_privs nor CAP_SYS_ADMIN; EINVAL: the program or a flag; EBUSY: there is a listener.
int seccomp_set_mode_filter(std::span<const sock_filter> program, std::uint32_t flags) noexcept;

enum class Known { No, Yes };
// SECCOMP_GET_ACTION_AVAIL, Linux 4.14.
Known seccomp_get_action_avail(std::uint32_t action) noexcept;
// Whether SECCOMP_SET_MODE_FILTER knows these flags: the kernel looks at them before it looks at the program, so a
// program at address 0 is EFAULT with known flags and EINVAL with others. Installs nothing.
Known seccomp_knows_flags(std::uint32_t flags) noexcept;

// PR_GET_SECCOMP: SECCOMP_MODE_* of the calling thread.
int seccomp_mode() noexcept;

}  // namespace jail::sys
