#include "monitor/calls.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <algorithm>
#include <array>

namespace jail::monitor {
namespace {

using confine::seccomp::Clause;
using confine::seccomp::kAllow;
using confine::seccomp::Test;
using confine::seccomp::When;
using enum Operation;

// fstat(2) of a C library before glibc 2.39, which every file read costs once or twice. With a name beside the flag the
// kernel takes the name, which no filter can tell: only where everything is asked for is that worth two switches.
constexpr Test has_bits(std::uint8_t argument, std::uint32_t bits) {
  return {.argument = argument, .count = 1, .mask = bits, .values = {bits}};
}
constexpr Clause by_descriptor(std::uint8_t flags) { return {When::Always, {has_bits(flags, AT_EMPTY_PATH)}, kAllow}; }
constexpr std::array kStatByDescriptor{by_descriptor(3)};
constexpr std::array kStatxByDescriptor{by_descriptor(2)};

// send(2) and write(2) of a connected socket: its address was seen at connect(2).
constexpr std::array kNoAddress{
    Clause{When::Always,
           {Test{.argument = 4, .count = 1}, Test{.argument = 4, .half = Test::Half::High, .count = 1}},
           kAllow}};

// Of ioctl(2) only what changes an inode through a descriptor opened for reading.
constexpr std::uint32_t kFsIocEnableVerity = 0x40806685;  // Linux 5.4
constexpr std::array kOtherIoctls{
    Clause{When::Always,
           {Test{.argument = 1,
                 .is = Test::Is::NoneOf,
                 .count = 3,
                 .values = {static_cast<std::uint32_t>(FS_IOC_SETFLAGS), static_cast<std::uint32_t>(FS_IOC_FSSETXATTR),
                            kFsIocEnableVerity}}},
           kAllow}};

// Code of files, as the loader maps it, and what is made code later.
constexpr Clause kNoCode{When::Always, {Test{.argument = 2, .count = 1, .mask = PROT_EXEC}}, kAllow};
constexpr std::array kOnlyCode{kNoCode};
constexpr std::array kNoCodeOfFile{
    kNoCode,
    Clause{When::Always, {has_bits(3, MAP_ANONYMOUS)}, kAllow}};

constexpr std::array kOtherPrctls{
    Clause{When::Always,
           {Test{.argument = 0,
                 .is = Test::Is::NoneOf,
                 .count = 3,
                 .values = {PR_CAP_AMBIENT, PR_SET_SECUREBITS, PR_CAPBSET_DROP}}},
           kAllow}};

constexpr FileArgument plain(std::int8_t path) { return {.path = path}; }
constexpr FileArgument at(std::int8_t folder, std::int8_t path) { return {folder, path}; }
constexpr FileArgument descriptor(std::int8_t folder) { return {.folder = folder}; }
constexpr FileArgument nothing{};

// Numbers where a header of the build machine may be older than the kernel.
constexpr Call kCalls[] = {
    {SYS_open, Open, plain(0), nothing, 1},
    {SYS_creat, Open, plain(0)},
    {SYS_openat, Open, at(0, 1), nothing, 2},
    {SYS_openat2, Open, at(0, 1), nothing, 2},  // by a pointer to them; a profile has to open it by name

    {SYS_stat, Look, plain(0)},
    {SYS_lstat, Look, plain(0)},
    {SYS_access, Look, plain(0)},
    {SYS_readlink, Look, plain(0)},
    {SYS_statfs, Look, plain(0)},
    {SYS_chdir, Enter, plain(0)},
    {SYS_getxattr, Look, plain(0)},
    {SYS_lgetxattr, Look, plain(0)},
    {SYS_listxattr, Look, plain(0)},
    {SYS_llistxattr, Look, plain(0)},
    {SYS_newfstatat, Look, at(0, 1), nothing, kNone, {}, kStatByDescriptor, MayBe::Denied, Call::Quiet::UnlessAll},
    {SYS_statx, Look, at(0, 1), nothing, kNone, {}, kStatxByDescriptor, MayBe::Denied, Call::Quiet::UnlessAll},
    {SYS_faccessat, Look, at(0, 1)},
    {SYS_faccessat2, Look, at(0, 1)},
    {SYS_readlinkat, Look, at(0, 1)},
    {SYS_inotify_add_watch, Look, plain(1)},
    {464 /* getxattrat */, Look, at(0, 1)},
    {465 /* listxattrat */, Look, at(0, 1)},
    {468 /* file_getattr */, Look, at(0, 1)},

    {SYS_mkdir, Create, plain(0), nothing, kNone, "folder"},
    {SYS_mkdirat, Create, at(0, 1), nothing, kNone, "folder"},
    {SYS_mknod, Create, plain(0), nothing, 1},
    {SYS_mknodat, Create, at(0, 1), nothing, 2},
    {SYS_rmdir, Delete, plain(0)},
    {SYS_unlink, Delete, plain(0)},
    {SYS_unlinkat, Delete, at(0, 1)},
    {SYS_rename, Rename, plain(0), plain(1)},
    {SYS_renameat, Rename, at(0, 1), at(2, 3)},
    {SYS_renameat2, Rename, at(0, 1), at(2, 3)},
    {SYS_link, Link, plain(0), plain(1)},
    {SYS_linkat, Link, at(0, 1), at(2, 3)},
    {SYS_symlink, Symlink, plain(0), plain(1)},
    {SYS_symlinkat, Symlink, plain(0), at(1, 2)},
    {SYS_truncate, Truncate, plain(0), nothing, kNone, "truncate"},
    {SYS_ftruncate, Truncate, descriptor(0), nothing, kNone, "truncate", {}, MayBe::OnlyAllowed},
    {SYS_fallocate, Truncate, descriptor(0), nothing, kNone, "write", {}, MayBe::OnlyAllowed},
    {SYS_memfd_create, CreateMemory, plain(0), nothing, kNone, "memory", {}, MayBe::OnlyAllowed},

    {SYS_chmod, Metadata, plain(0), nothing, kNone, "mode"},
    {SYS_fchmod, Metadata, descriptor(0), nothing, kNone, "mode"},
    {SYS_fchmodat, Metadata, at(0, 1), nothing, kNone, "mode"},
    {452 /* fchmodat2 */, Metadata, at(0, 1), nothing, kNone, "mode"},
    {SYS_chown, Metadata, plain(0), nothing, kNone, "owner"},
    {SYS_fchown, Metadata, descriptor(0), nothing, kNone, "owner"},
    {SYS_lchown, Metadata, plain(0), nothing, kNone, "owner"},
    {SYS_fchownat, Metadata, at(0, 1), nothing, kNone, "owner"},
    {SYS_utime, Metadata, plain(0), nothing, kNone, "times"},
    {SYS_utimes, Metadata, plain(0), nothing, kNone, "times"},
    {SYS_futimesat, Metadata, at(0, 1), nothing, kNone, "times"},
    {SYS_utimensat, Metadata, at(0, 1), nothing, kNone, "times"},
    {SYS_setxattr, Metadata, plain(0), nothing, kNone, "xattr"},
    {SYS_lsetxattr, Metadata, plain(0), nothing, kNone, "xattr"},
    {SYS_fsetxattr, Metadata, descriptor(0), nothing, kNone, "xattr"},
    {SYS_removexattr, Metadata, plain(0), nothing, kNone, "xattr"},
    {SYS_lremovexattr, Metadata, plain(0), nothing, kNone, "xattr"},
    {SYS_fremovexattr, Metadata, descriptor(0), nothing, kNone, "xattr"},
    {463 /* setxattrat */, Metadata, at(0, 1), nothing, kNone, "xattr"},
    {466 /* removexattrat */, Metadata, at(0, 1), nothing, kNone, "xattr"},
    {SYS_ioctl, Metadata, descriptor(0), nothing, kNone, "flags", kOtherIoctls},
    {469 /* file_setattr */, Metadata, at(0, 1), nothing, kNone, "flags"},

    {SYS_execve, Execute, plain(0)},
    {SYS_execveat, Execute, at(0, 1)},

    {SYS_mmap, MapCode, descriptor(4), nothing, kNone, {}, kNoCodeOfFile},
    {SYS_mprotect, ProtectCode, nothing, nothing, kNone, {}, kOnlyCode},
    {SYS_pkey_mprotect, ProtectCode, nothing, nothing, kNone, {}, kOnlyCode},

    {SYS_connect, Connect, plain(1), plain(2)},
    {SYS_bind, Bind, plain(1), plain(2)},
    {SYS_listen, Listen, descriptor(0), nothing, kNone, {}, {}, MayBe::OnlyAllowed},
    {SYS_accept, Accept, descriptor(0), nothing, kNone, {}, {}, MayBe::OnlyAllowed},
    {SYS_accept4, Accept, descriptor(0), nothing, kNone, {}, {}, MayBe::OnlyAllowed},
    {SYS_socketpair, Pair, nothing, nothing, kNone, {}, {}, MayBe::OnlyAllowed},
    {SYS_sendto, Send, plain(4), plain(5), kNone, {}, kNoAddress},
    {SYS_sendmsg, SendMessage, plain(1)},
    {SYS_sendmmsg, SendMessages, plain(1), plain(2)},

    {SYS_capset, ChangePowers},
    {SYS_prctl, ChangePowers, nothing, nothing, kNone, {}, kOtherPrctls},
    {SYS_setuid, ChangeIds, nothing, nothing, 1},
    {SYS_setgid, ChangeIds, nothing, nothing, 1},
    {SYS_setreuid, ChangeIds, nothing, nothing, 2},
    {SYS_setregid, ChangeIds, nothing, nothing, 2},
    {SYS_setresuid, ChangeIds, nothing, nothing, 3},
    {SYS_setresgid, ChangeIds, nothing, nothing, 3},
    {SYS_setfsuid, ChangeIds, nothing, nothing, 1},
    {SYS_setfsgid, ChangeIds, nothing, nothing, 1},

    {SYS_kill, Signal},
    {SYS_tkill, Signal},
    {SYS_tgkill, Signal},
    {SYS_rt_sigqueueinfo, Signal},
    {SYS_rt_tgsigqueueinfo, Signal},
};

// Row of each number plus one, for the one look-up that every notified call takes.
constexpr std::array kRowOf = [] {
  std::array<std::uint8_t, confine::seccomp::kTableEnd> rows{};
  for (std::size_t i = 0; i < std::size(kCalls); ++i) rows[kCalls[i].number] = static_cast<std::uint8_t>(i + 1);
  return rows;
}();
static_assert(std::size(kCalls) < 255);

bool is_of_files(Operation operation) { return operation < Execute; }

// Of the kernel's security modules, with the path at hand (bpf/file_lsm.bpf.c).
bool has_hook(const Call& call) {
  switch (call.operation) {
    case Open:
    case Create:
    case Delete:
    case Rename:
    case Link:
    case Symlink: return true;
    case Truncate: return call.number == SYS_truncate;
    case Metadata: return call.detail == "mode" || call.detail == "owner";
    default: return false;
  }
}

// And all that is asked for is in its arguments and its result (bpf/file_exit.bpf.c).
bool names_file(const Call& call) {
  if (!is_of_files(call.operation) || call.number == SYS_ioctl) return false;
  return call.operation != MapCode && call.operation != ProtectCode && call.operation != CreateMemory;
}

constexpr Privilege kPrivileges[] = {
    {"setuid", "setuid", 1},
    {"setgid", "setuid", 1},
    {"setreuid", "setuid", 3},
    {"setregid", "setuid", 3},
    {"setresuid", "setuid", 7},
    {"setresgid", "setuid", 7},
    {"setfsuid", "setuid", 1},
    {"setfsgid", "setuid", 1},
    {"setgroups", "setuid", 1},
    {"capset", "setuid", 0},
    {"ptrace", "ptrace", 3},
    {"process_vm_readv", "ptrace", 1},
    {"process_vm_writev", "ptrace", 1},
    {"pidfd_getfd", "ptrace", 7},
    {"kcmp", "ptrace", 7},
    {"mount", "mount", 8},
    {"umount2", "mount", 2},
    {"pivot_root", "mount", 0},
    {"chroot", "mount", 0},
    {"open_tree", "mount", 5},
    {"open_tree_attr", "mount", 5},
    {"move_mount", "mount", 21},
    {"fsopen", "mount", 2},
    {"fsconfig", "mount", 3},
    {"fsmount", "mount", 7},
    {"fspick", "mount", 5},
    {"mount_setattr", "mount", 5},
    {"bpf", "bpf", 1},
    {"init_module", "module", 0},
    {"finit_module", "module", 5},
    {"delete_module", "module", 2},
    {"unshare", "namespace", 1},
    {"setns", "namespace", 3},
    {"clone", "namespace", 1},
    {"clone3", "namespace", 0},
    {"add_key", "keyring", 16},
    {"request_key", "keyring", 8},
    {"keyctl", "keyring", 1},
    // Only denied; but their numbers say what was meant.
    {"io_uring_setup", "", 1},
    {"io_uring_enter", "", 15},
    {"io_uring_register", "", 3},
    {"socket", "", 7},
    {"socketpair", "", 7},
    {"ioctl", "", 2},
    {"prctl", "", 3},
    {"seccomp", "", 3},
    {"personality", "", 1},
    {"memfd_create", "", 2},
    {"setsockopt", "", 6},
    {"sendto", "", 8},
    {"sendmsg", "", 4},
    {"sendmmsg", "", 8},
    {"open", "", 6},
    {"openat", "", 12},
    {"creat", "", 2},
    {"mkdir", "", 2},
    {"mkdirat", "", 4},
    {"mknod", "", 6},
    {"mknodat", "", 12},
    {"chmod", "", 2},
    {"fchmod", "", 3},
    {"fchmodat", "", 4},
    {"fchmodat2", "", 4},
    {"execveat", "", 16},
    {"kill", "", 3},
    {"tkill", "", 3},
    {"tgkill", "", 7},
    {"rt_sigqueueinfo", "", 3},
    {"rt_tgsigqueueinfo", "", 7},
    {"prlimit64", "", 3},
    {"reboot", "", 4},
    {"syslog", "", 1},
};

struct I386 {
  std::uint32_t number;
  Privilege privilege;
};
// arch/x86/entry/syscalls/syscall_32.tbl.
constexpr I386 kI386[] = {
    {21, {"mount", "mount", 8}},           {22, {"umount", "mount", 0}},          {23, {"setuid", "setuid", 1}},
    {26, {"ptrace", "ptrace", 3}},         {46, {"setgid", "setuid", 1}},         {52, {"umount2", "mount", 2}},
    {61, {"chroot", "mount", 0}},          {70, {"setreuid", "setuid", 3}},       {71, {"setregid", "setuid", 3}},
    {81, {"setgroups", "setuid", 1}},      {120, {"clone", "namespace", 1}},      {128, {"init_module", "module", 0}},
    {129, {"delete_module", "module", 2}}, {138, {"setfsuid", "setuid", 1}},      {139, {"setfsgid", "setuid", 1}},
    {164, {"setresuid", "setuid", 7}},     {170, {"setresgid", "setuid", 7}},     {185, {"capset", "setuid", 0}},
    {203, {"setreuid32", "setuid", 3}},    {204, {"setregid32", "setuid", 3}},    {206, {"setgroups32", "setuid", 1}},
    {208, {"setresuid32", "setuid", 7}},   {210, {"setresgid32", "setuid", 7}},   {213, {"setuid32", "setuid", 1}},
    {214, {"setgid32", "setuid", 1}},      {217, {"pivot_root", "mount", 0}},     {286, {"add_key", "keyring", 16}},
    {287, {"request_key", "keyring", 8}},  {288, {"keyctl", "keyring", 1}},       {310, {"unshare", "namespace", 1}},
    {346, {"setns", "namespace", 3}},      {347, {"process_vm_readv", "ptrace", 1}},
    {348, {"process_vm_writev", "ptrace", 1}}, {350, {"finit_module", "module", 5}}, {357, {"bpf", "bpf", 1}},
};

}  // namespace

std::span<const Call> calls() { return kCalls; }

const Call* find_call(std::uint32_t number) {
  if (number >= kRowOf.size() || kRowOf[number] == 0) return nullptr;
  return &kCalls[kRowOf[number] - 1];
}

Share share_of(const Traced& traced, const Call& call) {
  if (call.operation == Execute) return traced.programs ? Share::Allowed : Share::Nothing;
  switch (traced.files) {
    case Traced::Files::None: return Share::Nothing;
    case Traced::Files::Reached: return has_hook(call) ? Share::Allowed : Share::Nothing;
    case Traced::Files::AtExit: return names_file(call) ? Share::Everything : Share::Nothing;
  }
  return Share::Nothing;
}

std::vector<confine::seccomp::Observation> observations(profile::MonitorFiles files, const Traced& traced) {
  using profile::MonitorFiles;
  const bool allowed_ones = files == MonitorFiles::Changes || files == MonitorFiles::All;
  std::vector<confine::seccomp::Observation> all;
  for (const Call& call : kCalls) {
    const bool wanted = files != MonitorFiles::None || !is_of_files(call.operation);
    const bool quiet = call.quiet_is == Call::Quiet::Always || files != MonitorFiles::All;
    if (share_of(traced, call) == Share::Everything) continue;
    if (wanted && (allowed_ones || call.may_be == MayBe::Denied))
      all.push_back({call.number, quiet ? call.quiet : std::span<const Clause>{}});
  }
  return all;
}

const Privilege* find_privilege(std::string_view call) {
  const auto* const found = std::ranges::find(kPrivileges, call, &Privilege::call);
  return found != std::end(kPrivileges) ? found : nullptr;
}

const Privilege* find_i386_privilege(std::uint32_t number) {
  const auto* const found = std::ranges::find(kI386, number, &I386::number);
  return found != std::end(kI386) ? &found->privilege : nullptr;
}

}  // namespace jail::monitor
