// System-call ABI (and SECURITY B6, B11): other doors into the kernel.
#include "case.h"

namespace jail::test {
namespace {

const Profile kAllGroups = {.more = "syscalls:\n  allow: [\"@system-service\", \"@process\", \"@aio\", \"@ipc\"]\n"};

// Calls that no plugin may reach. Each is tried twice: as it is, and with systemd's groups allowed, which hold many of
// them.
const char* const kCalls[] = {
    "acct", "add_key", "bpf", "chroot", "clock_adjtime", "clock_settime", "delete_module", "fanotify_init",
    "finit_module", "fsconfig", "fsmount", "fsopen", "fspick", "init_module", "io_uring_enter", "io_uring_register",
    "io_uring_setup", "ioperm", "iopl", "kcmp", "kexec_file_load", "kexec_load", "keyctl", "mount", "mount_setattr",
    "move_mount", "name_to_handle_at", "open_by_handle_at", "open_tree", "perf_event_open", "pidfd_getfd",
    "pivot_root", "process_madvise", "process_vm_readv", "process_vm_writev", "quotactl", "quotactl_fd", "reboot",
    "request_key", "setdomainname", "sethostname", "setns", "settimeofday", "swapoff", "swapon", "syslog", "umount2",
    "unshare", "userfaultfd",
};

// SECURITY B6: not lifted by any group, only by the call's own name.
const char* const kInvariants[] = {"setns",  "unshare", "io_uring_setup", "mount",  "umount2",     "move_mount",
                                   "fsopen", "bpf",     "keyctl",         "add_key", "request_key", "open_tree"};

// What asks for power is told as such, whatever the filter thinks of the arguments.
const std::set<std::string> kPrivileged = {
    "add_key",  "bpf",     "chroot",      "delete_module", "finit_module",  "fsconfig",    "fsmount",          "fsopen",
    "fspick",   "kcmp",    "init_module", "keyctl",        "mount",         "mount_setattr", "move_mount",
    "open_tree", "pidfd_getfd", "pivot_root", "process_vm_readv", "process_vm_writev", "request_key", "setns",
    "umount2",  "unshare"};

std::string event_of(const std::string& call) {
  return kPrivileged.contains(call) ? "privilege.attempt" : "syscall.denied";
}

// A kernel may be built without them, or lack the power even for root.
const Errors kAbsent = {"ENOSYS", "EPERM", "EACCES"};

void add_calls(std::vector<Case>& table) {
  for (const std::string call : kCalls)
    table.push_back({.name = "call_" + call,
                     .attack = {"call", call},
                     .errors = kFiltered,
                     .control = as_root_where_supported(kAbsent),
                     .event = event_of(call)});
  for (const std::string call : kInvariants)
    table.push_back({.name = "groups_allow_" + call,
                     .attack = {"call", call},
                     .errors = kFiltered,
                     .profile = kAllGroups,
                     .control = as_root_where_supported(kAbsent),
                     .event = event_of(call)});
}

void add_namespaces(std::vector<Case>& table) {
  const Errors old_kernel = {"EINVAL"};
  for (const std::string space : {"user", "mount", "pid", "net", "ipc", "uts", "cgroup", "time"}) {
    const bool cloneable = space != "time";
    table.push_back({.name = "unshare_" + space,
                     .attack = {"unshare", space},
                     .errors = kFiltered,
                     .control = as_root_where_supported(old_kernel),
                     .event = "privilege.attempt"});
    if (!cloneable) continue;
    table.push_back({.name = "clone_" + space,
                     .attack = {"clone", space},
                     .errors = {"EPERM"},
                     .control = outside_as_root(),
                     .event = "privilege.attempt"});
    table.push_back({.name = "clone3_" + space,
                     .attack = {"clone3", space},
                     .errors = {"ENOSYS"},  // so that libc falls back to clone
                     .control = outside_as_root(),
                     .event = "privilege.attempt"});
  }
  table.push_back({.name = "unshare_user_and_mount", .attack = {"unshare", "user+mount"}, .errors = kFiltered});
  table.push_back({.name = "clone_user_and_net", .attack = {"clone", "user+net"}, .errors = {"EPERM"}});
  table.push_back({.name = "groups_allow_clone_user",
                   .attack = {"clone", "user"},
                   .errors = {"EPERM"},
                   .profile = kAllGroups});
  table.push_back({.name = "groups_allow_clone3_user",
                   .attack = {"clone3", "user"},
                   .errors = {"ENOSYS"},
                   .profile = kAllGroups});
  table.push_back({.name = "setns_of_child", .attack = {"setns"}, .errors = kFiltered});
  // The second lock (SECURITY B11): with the call itself allowed by name, the count of namespaces is 0.
  table.push_back({.name = "unshare_allowed_by_name",
                   .attack = {"unshare", "user"},
                   .errors = {"ENOSPC"},
                   .profile = {.more = "syscalls:\n  allow: [unshare]\n"}});
}

void add_foreign(std::vector<Case>& table) {
  const Errors refused = {"ENOSYS", "EPERM", "SIGSYS"};
  const Errors no_compat = {"ENOSYS", "SIGSEGV"};
  table.push_back({.name = "int80_open", .attack = {"int80-open", "{read}/public"}, .errors = refused,
                   .control = where_supported(no_compat), .event = "syscall.denied"});
  table.push_back({.name = "int80_unshare_user", .attack = {"int80-call", "310", "0x10000000"}, .errors = refused,
                   .control = where_supported(no_compat), .event = "privilege.attempt"});
  table.push_back({.name = "int80_getpid", .attack = {"int80-call", "20", "0"}, .errors = refused,
                   .control = where_supported(no_compat)});
  table.push_back({.name = "x32_open", .attack = {"x32-open", "{read}/public"}, .errors = refused,
                   .control = where_supported(no_compat), .event = "syscall.denied"});
  table.push_back({.name = "x32_unshare_user", .attack = {"x32-call", "272", "0x10000000"}, .errors = refused,
                   .control = where_supported(no_compat)});
  table.push_back({.name = "x32_getpid", .attack = {"x32-call", "39", "0"}, .errors = refused,
                   .control = where_supported(no_compat)});
  const Control future = no_control("the kernel has no such number itself; the filter must not answer otherwise");
  table.push_back({.name = "numbers_of_the_future", .attack = {"numbers", "500", "1200"}, .errors = {"ENOSYS"},
                   .control = future});
  table.push_back({.name = "numbers_at_the_top", .attack = {"numbers", "0x7fffff00", "0x7fffffff"},
                   .errors = {"ENOSYS"}, .control = future});
  table.push_back({.name = "numbers_between_the_tables", .attack = {"numbers", "337", "423"}, .errors = {"ENOSYS"},
                   .control = future});
}

void add_arguments(std::vector<Case>& table) {
  table.push_back({.name = "high_bits_clone", .attack = {"high-bits", "clone"},
                   .errors = {"EPERM", "ENOSYS", "EINVAL"}});
  table.push_back({.name = "high_bits_socket", .attack = {"high-bits", "socket"},
                   .errors = {"EPERM", "EPROTONOSUPPORT"}});
  table.push_back({.name = "high_bits_socket_protocol",
                   .attack = {"high-bits", "socket-protocol"},
                   .errors = {"EPROTONOSUPPORT", "EPERM"},
                   .control = where_supported({"EPROTONOSUPPORT", "ENOPROTOOPT"})});
  table.push_back({.name = "high_bits_ioctl", .attack = {"high-bits", "ioctl"}, .errors = kFiltered});
  table.push_back({.name = "high_bits_memfd", .attack = {"high-bits", "memfd"},
                   .errors = {"EPERM", "EACCES", "ENOSYS"}});
}

void add_ring(std::vector<Case>& table) {
  const Errors no_ring = {"ENOSYS", "EPERM"};  // kernel.io_uring_disabled
  for (const auto& [name, attack] : std::vector<std::pair<std::string, std::vector<std::string>>>{
           {"ring_open", {"ring-open", "{read}/public"}},
           {"ring_polled_open", {"ring-polled-open", "{read}/public"}},
           {"ring_socket", {"ring-socket"}}})
    table.push_back({.name = name, .attack = attack, .errors = kFiltered, .control = where_supported(no_ring),
                     .event = "syscall.denied"});
  table.push_back({.name = "own_listener",
                   .attack = {"own-listener"},
                   .errors = {"EBUSY", "EPERM", "EACCES", "ENOSYS"},
                   .event = "syscall.denied"});
  table.push_back({.name = "leave_filter",
                   .attack = {"leave-filter"},
                   .errors = {"EINVAL", "EPERM"},
                   .control = no_control("no process can: seccomp(2), prctl(2)")});
}

}  // namespace

std::vector<Case> abi_cases() {
  std::vector<Case> table;
  add_calls(table);
  add_namespaces(table);
  add_foreign(table);
  add_arguments(table);
  add_ring(table);
  return table;
}

}  // namespace jail::test
