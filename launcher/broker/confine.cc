#include "broker/confine.h"

#include <linux/audit.h>
#include <linux/capability.h>
#include <sys/syscall.h>

#include <cerrno>
#include <cstddef>
#include <vector>

#include "base/error.h"
#include "sys/capabilities.h"
#include "sys/landlock.h"
#include "sys/process.h"
#include "sys/seccomp.h"

namespace jail::broker {
namespace {

// The loop, what makes a thread and a process aside, and what the C library does by itself.
constexpr int kCalls[] = {
    SYS_bpf,        SYS_poll,          SYS_ppoll,          SYS_accept4,      SYS_recvmsg,
    SYS_sendmsg,    SYS_getsockopt,    SYS_setsockopt,     SYS_read,         SYS_write,
    SYS_close,      SYS_close_range,   SYS_fcntl,          SYS_dup2,         SYS_pidfd_open,
    SYS_sched_yield, SYS_clone,        SYS_clone3,         SYS_exit,         SYS_exit_group,
    SYS_pidfd_send_signal, SYS_mmap,   SYS_munmap,         SYS_mremap,       SYS_mprotect,
    SYS_madvise,    SYS_brk,           SYS_futex,          SYS_rt_sigaction, SYS_rt_sigprocmask,
    SYS_rt_sigreturn, SYS_set_robust_list, SYS_rseq,       SYS_restart_syscall, SYS_getpid,
    SYS_gettid,     SYS_tgkill,        SYS_clock_gettime,  SYS_newfstatat,   SYS_getrandom,
    SYS_pipe2,
};

std::vector<sock_filter> program() {
  constexpr auto kData = static_cast<std::uint16_t>(BPF_LD | BPF_W | BPF_ABS);
  constexpr auto kEqual = static_cast<std::uint16_t>(BPF_JMP | BPF_JEQ | BPF_K);
  constexpr auto kReturn = static_cast<std::uint16_t>(BPF_RET | BPF_K);
  std::vector<sock_filter> filter{{kData, 0, 0, offsetof(seccomp_data, arch)},
                                  {kEqual, 1, 0, AUDIT_ARCH_X86_64},
                                  {kReturn, 0, 0, SECCOMP_RET_KILL_PROCESS},
                                  {kData, 0, 0, offsetof(seccomp_data, nr)}};
  for (const int call : kCalls) {
    filter.push_back({kEqual, 0, 1, static_cast<std::uint32_t>(call)});
    filter.push_back({kReturn, 0, 0, SECCOMP_RET_ALLOW});
  }
  filter.push_back({kReturn, 0, 0, SECCOMP_RET_ERRNO | EPERM});
  return filter;
}

// Every right that this kernel knows, so far as this program knows them, is one that we have nowhere.
void enter_landlock() {
  const int abi = sys::landlock_abi();
  if (abi < 1) return;
  sys::LandlockHandles handled{.filesystem = 0x1fff};
  if (abi >= 2) handled.filesystem |= 1U << 13;  // link and rename across folders
  if (abi >= 3) handled.filesystem |= 1U << 14;  // truncate
  if (abi >= 4) handled.network = 3;             // bind and connect by TCP
  if (abi >= 5) handled.filesystem |= 1U << 15;  // ioctl of devices
  if (abi >= 6) handled.scopes = 3;              // abstract sockets and signals to others
  sys::landlock_restrict_self(sys::landlock_create_ruleset(handled), 0);
}

}  // namespace

void confine() {
  sys::keep_capabilities({CAP_NET_ADMIN, CAP_PERFMON, CAP_BPF});
  sys::set_no_new_privileges();
  sys::set_dumpable(sys::Dumpable::No);
  enter_landlock();
  if (const int error = sys::seccomp_set_mode_filter(program(), 0); error < 0) throw SysError(-error, "seccomp");
}

}  // namespace jail::broker
