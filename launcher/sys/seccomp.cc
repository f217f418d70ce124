#include "sys/seccomp.h"

#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

namespace jail::sys {

int seccomp_set_mode_filter(std::span<const sock_filter> program, std::uint32_t flags) noexcept {
  // The kernel's structure is not const, but it only reads.
  const sock_fprog argument{static_cast<unsigned short>(program.size()), const_cast<sock_filter*>(program.data())};
  const long result = ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &argument);
  return result < 0 ? -errno : static_cast<int>(result);
}

Known seccomp_get_action_avail(std::uint32_t action) noexcept {
  return ::syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0 ? Known::Yes : Known::No;
}

Known seccomp_knows_flags(std::uint32_t flags) noexcept {
  const long result = ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, nullptr);
  return result < 0 && errno == EFAULT ? Known::Yes : Known::No;
}

int seccomp_mode() noexcept { return ::prctl(PR_GET_SECCOMP); }

}  // namespace jail::sys
