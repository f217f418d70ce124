// What asks for power over the kernel, the machine, other processes or the jail itself, and the ways around a filter:
// other ABIs, and calls that do the work of others.
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/perf_event.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "blindspot/acting.h"

namespace jail::blindspot {
namespace {

constexpr long kX32 = 0x40000000;
constexpr pid_t kInit = 1;

constexpr Evidence privilege(std::string_view call, std::string_view abi = "") {
  return {"privilege.attempt", call, abi};
}
constexpr Evidence denied(std::string_view call, std::string_view abi = "") { return {"syscall.denied", call, abi}; }

Outcome read_memory(const Scene&) {
  char byte = 0;
  const iovec own{&byte, 1}, other{&byte, 1};
  return try_call(SYS_process_vm_readv, kInit, &own, 1L, &other, 1L, 0L);
}

Outcome new_user_namespace_by_clone(const Scene&) {
  const long child = call(SYS_clone, CLONE_NEWUSER | SIGCHLD, nullptr, nullptr, nullptr, nullptr);
  if (child == 0) ::_exit(0);
  return {.error = child < 0 ? errno : 0};
}

Outcome new_user_namespace_by_clone3(const Scene&) {
  clone_args how{};
  how.flags = CLONE_NEWUSER;
  how.exit_signal = SIGCHLD;
  const long child = call(SYS_clone3, &how, sizeof how);
  if (child == 0) ::_exit(0);
  return {.error = child < 0 ? errno : 0};
}

Outcome join_own_namespace(const Scene&) {
  const long own = call(SYS_openat, AT_FDCWD, "/proc/self/ns/user", O_RDONLY, 0);
  return try_call(SYS_setns, own, CLONE_NEWUSER);
}

Outcome second_listener(const Scene&) {
  sock_filter all = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  const sock_fprog program{1, &all};
  return try_call(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
}

// umask(2) by the entry of i386, which has a number of its own.
Outcome by_i386(const Scene&) {
  long result = 60;
  asm volatile("int $0x80" : "+a"(result) : "b"(022) : "memory", "r8", "r9", "r10", "r11");
  return {.error = result < 0 ? static_cast<int>(-result) : 0};
}

Outcome mount_by_i386(const Scene&) {
  long result = 21;
  asm volatile("int $0x80" : "+a"(result) : "b"(0), "c"(0), "d"(0) : "memory", "r8", "r9", "r10", "r11");
  return {.error = result < 0 ? static_cast<int>(-result) : 0};
}

Outcome prepare_descriptor_of_init(const Scene&) {
  const long init = call(SYS_pidfd_open, kInit, 0);
  return init < 0 ? missing() : try_call(SYS_pidfd_getfd, init, 0, 0);
}

// A process of the host, if there is one of that number; not one of the jail.
Outcome kill_outside(const Scene&) { return try_call(SYS_kill, 2'000'000'000, SIGTERM); }

Outcome capabilities(const Scene&) {
  struct {
    std::uint32_t version = 0x20080522;
    int pid = 0;
  } header;
  std::array<std::uint32_t, 6> wanted{1U << 21};
  return try_call(SYS_capset, &header, wanted.data());
}

const Action kActions[] = {
    {"setuid", [](const Scene&) { return try_call(SYS_setuid, 0); }, {privilege("setuid")}},
    {"setresgid", [](const Scene&) { return try_call(SYS_setresgid, 0, 0, 0); }, {privilege("setresgid")}},
    {"setgroups", [](const Scene&) { return try_call(SYS_setgroups, 0, nullptr); }, {privilege("setgroups")}},
    {"capset", capabilities, {privilege("capset")}},
    {"ptrace", [](const Scene&) { return try_call(SYS_ptrace, PTRACE_ATTACH, kInit, 0L, 0L); }, {privilege("ptrace")}},
    {"process_vm_readv", read_memory, {privilege("process_vm_readv")}},
    {"pidfd_getfd", prepare_descriptor_of_init, {privilege("pidfd_getfd")}},
    {"kcmp", [](const Scene&) { return try_call(SYS_kcmp, kInit, ::getpid(), 0, 0L, 0L); }, {privilege("kcmp")}},
    {"mount", [](const Scene&) { return try_call(SYS_mount, "none", "/tmp", "tmpfs", 0L, nullptr); },
     {privilege("mount")}},
    {"umount2", [](const Scene&) { return try_call(SYS_umount2, "/tmp", 2); }, {privilege("umount2")}},
    {"pivot_root", [](const Scene&) { return try_call(SYS_pivot_root, "/tmp", "/tmp"); }, {privilege("pivot_root")}},
    {"chroot", [](const Scene&) { return try_call(SYS_chroot, "/tmp"); }, {privilege("chroot")}},
    {"open_tree", [](const Scene&) { return try_call(SYS_open_tree, AT_FDCWD, "/tmp", 1); }, {privilege("open_tree")}},
    {"fsopen", [](const Scene&) { return try_call(SYS_fsopen, "tmpfs", 0); }, {privilege("fsopen")}},
    {"mount_setattr", [](const Scene&) { return try_call(SYS_mount_setattr, AT_FDCWD, "/tmp", 0, nullptr, 0L); },
     {privilege("mount_setattr")}},
    {"unshare, CLONE_NEWUSER", [](const Scene&) { return try_call(SYS_unshare, CLONE_NEWUSER); },
     {privilege("unshare")}},
    {"clone, CLONE_NEWUSER", new_user_namespace_by_clone, {privilege("clone")}},
    {"clone3, CLONE_NEWUSER", new_user_namespace_by_clone3, {privilege("clone3")}},
    {"setns", join_own_namespace, {privilege("setns")}},
    {"bpf", [](const Scene&) { return try_call(SYS_bpf, BPF_MAP_CREATE, nullptr, 0); }, {privilege("bpf")}},
    {"init_module", [](const Scene&) { return try_call(SYS_init_module, nullptr, 0L, ""); },
     {privilege("init_module")}},
    {"keyctl", [](const Scene&) { return try_call(SYS_keyctl, 0, -3, 0); }, {privilege("keyctl")}},
    {"add_key", [](const Scene&) { return try_call(SYS_add_key, "user", "blindspot", "x", 1L, -3); },
     {privilege("add_key")}},
    {"io_uring_setup",
     [](const Scene&) {
       std::array<std::uint64_t, 15> parameters{};
       return try_call(SYS_io_uring_setup, 8, parameters.data());
     },
     {denied("io_uring_setup")}},
    {"perf_event_open",
     [](const Scene&) {
       perf_event_attr attributes{};
       attributes.size = sizeof attributes;
       return try_call(SYS_perf_event_open, &attributes, 0, -1, -1, 0L);
     },
     {denied("perf_event_open")}},
    {"userfaultfd", [](const Scene&) { return try_call(SYS_userfaultfd, 0); }, {denied("userfaultfd")}},
    {"fanotify_init", [](const Scene&) { return try_call(SYS_fanotify_init, 0, 0); }, {denied("fanotify_init")}},
    {"personality", [](const Scene&) { return try_call(SYS_personality, ADDR_NO_RANDOMIZE); }, {denied("personality")}},
    {"prctl, PR_SET_DUMPABLE", [](const Scene&) { return try_call(SYS_prctl, PR_SET_DUMPABLE, 0L, 0L, 0L, 0L); },
     {denied("prctl")}},
    {"prctl, PR_CAP_AMBIENT_RAISE",
     [](const Scene&) { return try_call(SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, 21L, 0L, 0L); },
     {privilege("prctl")}},
    {"seccomp, a second listener", second_listener, {denied("seccomp")}},
    {"prlimit64, of pid 1",
     [](const Scene&) {
       rlimit none{};
       return try_call(SYS_prlimit64, kInit, RLIMIT_NOFILE, &none, nullptr);
     },
     {denied("prlimit64")}},
    {"kill, outside", kill_outside, {privilege("kill")}},
    {"kill, of pid 1", [](const Scene&) { return try_call(SYS_kill, kInit, SIGTERM); }, {privilege("kill")}},
    {"ioctl, TIOCSTI", [](const Scene&) { return try_call(SYS_ioctl, 0, TIOCSTI, "x"); }, {denied("ioctl")}},
    {"syslog", [](const Scene&) { return try_call(SYS_syslog, 10, nullptr, 0); }, {denied("syslog")}},
    {"sethostname", [](const Scene&) { return try_call(SYS_sethostname, "x", 1L); }, {denied("sethostname")}},
    {"reboot", [](const Scene&) { return try_call(SYS_reboot, 0, 0, 0, nullptr); }, {denied("reboot")}},
    {"i386 by int 0x80: umask", by_i386, {denied("", "i386")}},
    {"i386 by int 0x80: mount", mount_by_i386, {privilege("mount", "i386")}},
    {"x32: getpid", [](const Scene&) { return try_call(kX32 | SYS_getpid); }, {denied("getpid", "x32")}},
};

}  // namespace

std::span<const Action> power_actions() { return kActions; }

}  // namespace jail::blindspot
