#include "broker/confine.h"

#include <linux/audit.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <sys/syscall.h>

#include <cerrno>
#include <cstddef>
#include <span>
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
    SYS_pipe2,      SYS_shutdown,
};

// Theirs, and what opens, makes and removes.
constexpr int kCallsOfMaker[] = {
    SYS_poll, SYS_ppoll, SYS_recvmsg, SYS_sendmsg, SYS_read, SYS_pread64, SYS_write, SYS_close, SYS_openat,
    SYS_mkdir, SYS_mkdirat, SYS_rmdir, SYS_unlinkat, SYS_getdents64, SYS_newfstatat, SYS_fstat, SYS_fcntl,
    SYS_flock, SYS_fchmod, SYS_faccessat, SYS_faccessat2, SYS_lseek, SYS_pidfd_send_signal, SYS_exit,
    SYS_exit_group, SYS_mmap, SYS_munmap, SYS_mremap, SYS_mprotect, SYS_madvise, SYS_brk, SYS_futex,
    SYS_rt_sigaction, SYS_rt_sigprocmask, SYS_rt_sigreturn, SYS_restart_syscall, SYS_getpid, SYS_gettid,
    SYS_tgkill, SYS_clock_gettime, SYS_getrandom,
};

std::vector<sock_filter> program(std::span<const int> calls) {
  constexpr auto kData = static_cast<std::uint16_t>(BPF_LD | BPF_W | BPF_ABS);
  constexpr auto kEqual = static_cast<std::uint16_t>(BPF_JMP | BPF_JEQ | BPF_K);
  constexpr auto kReturn = static_cast<std::uint16_t>(BPF_RET | BPF_K);
  std::vector<sock_filter> filter{{kData, 0, 0, offsetof(seccomp_data, arch)},
                                  {kEqual, 1, 0, AUDIT_ARCH_X86_64},
                                  {kReturn, 0, 0, SECCOMP_RET_KILL_PROCESS},
                                  {kData, 0, 0, offsetof(seccomp_data, nr)}};
  for (const int call : calls) {
    filter.push_back({kEqual, 0, 1, static_cast<std::uint32_t>(call)});
    filter.push_back({kReturn, 0, 0, SECCOMP_RET_ALLOW});
  }
  filter.push_back({kReturn, 0, 0, SECCOMP_RET_ERRNO | EPERM});
  return filter;
}

// Every right that this kernel knows, so far as this program knows them, is one that we have nowhere.
Fd ruleset_of_all() {
  const int abi = sys::landlock_abi();
  if (abi < 1) return {};
  sys::LandlockHandles handled{.filesystem = 0x1fff};
  if (abi >= 2) handled.filesystem |= 1U << 13;  // link and rename across folders
  if (abi >= 3) handled.filesystem |= 1U << 14;  // truncate
  if (abi >= 4) handled.network = 3;             // bind and connect by TCP
  if (abi >= 5) handled.filesystem |= 1U << 15;  // ioctl of devices
  if (abi >= 6) handled.scopes = 3;              // abstract sockets and signals to others
  return sys::landlock_create_ruleset(handled);
}

void confine(const std::vector<int>& capabilities, const Fd& ruleset, std::span<const int> calls) {
  sys::keep_capabilities(capabilities);
  sys::set_no_new_privileges();
  sys::set_dumpable(sys::Dumpable::No);
  if (ruleset) sys::landlock_restrict_self(ruleset, 0);
  if (const int error = sys::seccomp_set_mode_filter(program(calls), 0); error < 0) throw SysError(-error, "seccomp");
}

}  // namespace

void confine() { confine({CAP_NET_ADMIN, CAP_PERFMON, CAP_BPF}, ruleset_of_all(), kCalls); }

void confine_maker(const std::string& top, const sys::Cgroup& base) {
  constexpr std::uint64_t kRead = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
  constexpr std::uint64_t kMake = LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_REMOVE_DIR;
  const Fd ruleset = ruleset_of_all();
  if (ruleset) {
    const auto open = [](const std::string& folder) {
      return Fd(check(::open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC), "open", folder));
    };
    sys::landlock_allow_beneath(ruleset, open("/proc"), kRead, "/proc");
    sys::landlock_allow_beneath(ruleset, open(top), kRead | LANDLOCK_ACCESS_FS_WRITE_FILE, top);
    sys::landlock_allow_beneath(ruleset, open(base.path()), kMake, base.path());
    const std::string around = base.path().substr(0, base.path().rfind('/'));
    sys::landlock_allow_beneath(ruleset, open(around), LANDLOCK_ACCESS_FS_REMOVE_DIR, around);  // the base, at last
  }
  confine({CAP_SYS_NICE}, ruleset, kCallsOfMaker);
}

}  // namespace jail::broker
