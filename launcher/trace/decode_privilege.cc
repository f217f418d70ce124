#include "trace/decode_privilege.h"

#include <linux/capability.h>
#include <sys/syscall.h>

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

namespace jail::trace {
namespace {

struct Power {
  std::uint32_t number;
  std::string_view call, privilege;
};

constexpr Power kPowers[] = {
    {SYS_setuid, "setuid", "setuid"},
    {SYS_setgid, "setgid", "setuid"},
    {SYS_setreuid, "setreuid", "setuid"},
    {SYS_setregid, "setregid", "setuid"},
    {SYS_setgroups, "setgroups", "setuid"},
    {SYS_setresuid, "setresuid", "setuid"},
    {SYS_setresgid, "setresgid", "setuid"},
    {SYS_setfsuid, "setfsuid", "setuid"},
    {SYS_setfsgid, "setfsgid", "setuid"},
    {SYS_capset, "capset", "setuid"},
    {SYS_ptrace, "ptrace", "ptrace"},
    {SYS_process_vm_readv, "process_vm_readv", "ptrace"},
    {SYS_process_vm_writev, "process_vm_writev", "ptrace"},
    {SYS_kcmp, "kcmp", "ptrace"},
    {SYS_pidfd_getfd, "pidfd_getfd", "ptrace"},
    {SYS_mount, "mount", "mount"},
    {SYS_umount2, "umount2", "mount"},
    {SYS_pivot_root, "pivot_root", "mount"},
    {SYS_chroot, "chroot", "mount"},
    {SYS_open_tree, "open_tree", "mount"},
    {SYS_move_mount, "move_mount", "mount"},
    {SYS_fsopen, "fsopen", "mount"},
    {SYS_fsconfig, "fsconfig", "mount"},
    {SYS_fsmount, "fsmount", "mount"},
    {SYS_fspick, "fspick", "mount"},
    {SYS_mount_setattr, "mount_setattr", "mount"},
    {467, "open_tree_attr", "mount"},  // Linux 6.15
    {SYS_perf_event_open, "perf_event_open", "bpf"},
    {SYS_bpf, "bpf", "bpf"},
    {SYS_init_module, "init_module", "module"},
    {SYS_finit_module, "finit_module", "module"},
    {SYS_delete_module, "delete_module", "module"},
    {SYS_unshare, "unshare", "namespace"},
    {SYS_setns, "setns", "namespace"},
    {SYS_add_key, "add_key", "keyring"},
    {SYS_request_key, "request_key", "keyring"},
    {SYS_keyctl, "keyctl", "keyring"},
};

// By its number (linux/capability.h).
constexpr std::array<std::string_view, CAP_LAST_CAP + 1> kCapabilities{
    "CHOWN",         "DAC_OVERRIDE",    "DAC_READ_SEARCH", "FOWNER",       "FSETID",          "KILL",
    "SETGID",        "SETUID",          "SETPCAP",         "LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST",
    "NET_ADMIN",     "NET_RAW",         "IPC_LOCK",        "IPC_OWNER",    "SYS_MODULE",      "SYS_RAWIO",
    "SYS_CHROOT",    "SYS_PTRACE",      "SYS_PACCT",       "SYS_ADMIN",    "SYS_BOOT",        "SYS_NICE",
    "SYS_RESOURCE",  "SYS_TIME",        "SYS_TTY_CONFIG",  "MKNOD",        "LEASE",           "AUDIT_WRITE",
    "AUDIT_CONTROL", "SETFCAP",         "MAC_OVERRIDE",    "MAC_ADMIN",    "SYSLOG",          "WAKE_ALARM",
    "BLOCK_SUSPEND", "AUDIT_READ",      "PERFMON",         "BPF",          "CHECKPOINT_RESTORE",
};

std::string capability_name(std::int32_t number) {
  const auto index = static_cast<std::size_t>(number);
  return index < kCapabilities.size() ? "CAP_" + std::string(kCapabilities[index]) : std::to_string(number);
}

}  // namespace

std::optional<event::PrivilegeAttempt> privilege_of(const jail_event& head) {
  const auto* power = std::ranges::find(kPowers, head.call, &Power::number);
  if (power == std::end(kPowers)) return std::nullopt;
  return event::PrivilegeAttempt{.privilege = std::string(power->privilege),
                                 .call = std::string(power->call),
                                 .number = head.call,
                                 .capability = capability_name(head.result)};
}

}  // namespace jail::trace
