#include "sys/seccomp.h"

#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

namespace jail::sys {
namespace {

constexpr unsigned long kSetFlags = _IOW('!', 4, std::uint64_t);  // SECCOMP_IOCTL_NOTIF_SET_FLAGS
constexpr unsigned long kSyncWakeUp = 1;

int answered(int result) noexcept { return result < 0 ? errno : 0; }

}  // namespace

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

int notification_receive(int listener, seccomp_notif& call) noexcept {
  call = {};  // the kernel answers EINVAL to anything else
  return answered(::ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &call));
}

int notification_send(int listener, const seccomp_notif_resp& answer) noexcept {
  seccomp_notif_resp sent = answer;
  return answered(::ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &sent));
}

int notification_is_pending(int listener, std::uint64_t id) noexcept {
  return answered(::ioctl(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &id));
}

int notification_wake_in_turn(int listener) noexcept {
  return answered(::ioctl(listener, kSetFlags, kSyncWakeUp));
}

int seccomp_mode() noexcept { return ::prctl(PR_GET_SECCOMP); }

}  // namespace jail::sys
