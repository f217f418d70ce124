// seccomp(2), Linux 3.17, and seccomp_unotify(2), Linux 5.0: one function per operation.
#pragma once

#include <linux/filter.h>
#include <linux/seccomp.h>

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

// SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, Linux 5.19: a call that was received is not interrupted by a signal that does
// not kill, and so not notified again and again. Debian 12's headers have it, older ones do not.
inline constexpr std::uint32_t kWaitKillableRecv = 1U << 5;

// The three ioctls of a listener: 0 or errno. ENOENT: the caller has ended, or was interrupted, meanwhile.
// Waits for the next call. ENOENT also where nobody is left under the filter.
int notification_receive(int listener, seccomp_notif& call) noexcept;
int notification_send(int listener, const seccomp_notif_resp& answer) noexcept;
int notification_is_pending(int listener, std::uint64_t id) noexcept;
// SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP, Linux 6.6: caller and listener hand the CPU to each other, which makes a call
// five times as fast. A wish: before, EINVAL.
int notification_wake_in_turn(int listener) noexcept;

// PR_GET_SECCOMP: SECCOMP_MODE_* of the calling thread.
int seccomp_mode() noexcept;

}  // namespace jail::sys
