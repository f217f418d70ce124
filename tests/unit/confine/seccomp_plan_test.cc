#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/netlink.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "confine/seccomp.h"
#include "seccomp_calls.h"

namespace jail::confine::seccomp {
namespace {

using profile::Diagnostic;
using profile::SyscallSet;
using test::call_of;
using test::kGarbageAbove;

profile::Place at(int line) { return {.file = "plugin.yaml", .line = line, .column = 5}; }

profile::Syscalls changes(std::vector<std::string> allow, std::vector<std::string> deny = {}) {
  profile::Syscalls wanted;
  int line = 10;
  for (std::string& name : allow) wanted.allow.push_back({std::move(name), at(line++)});
  for (std::string& name : deny) wanted.deny.push_back({std::move(name), at(line++)});
  return wanted;
}

profile::Syscalls strict(profile::Syscalls wanted = {}) {
  wanted.set.value = SyscallSet::Strict;
  return wanted;
}

Verdict verdict(const Plan& plan, std::string_view name, std::array<std::uint64_t, 6> arguments = {}) {
  return evaluate(plan, call_of(name, arguments));
}

Verdict error(int number) { return {Action::Errno, static_cast<std::uint16_t>(number)}; }

struct Expectation {
  std::string_view call;
  std::array<std::uint64_t, 6> arguments;
  Verdict verdict;
};

// Written down apart from the table: what the built-in set must say.
const Expectation kStandard[] = {
    {"read", {}, kAllow},
    {"execve", {}, kAllow},
    {"exit_group", {}, kAllow},
    {"landlock_restrict_self", {}, kAllow},
    {"setuid", {}, kAllow},
    {"arch_prctl", {0x1002}, kAllow},
    {"clone3", {}, kAbsent},
    {"openat2", {}, kAbsent},
    {"unshare", {CLONE_FS}, kDeny},
    {"setns", {}, kDeny},
    {"clone", {CLONE_VM | CLONE_THREAD | SIGCHLD}, kAllow},
    {"clone", {CLONE_NEWUSER | SIGCHLD}, kDeny},
    {"clone", {CLONE_NEWNET | kGarbageAbove}, kDeny},
    {"clone", {CLONE_NEWNS}, kDeny},
    {"clone", {CLONE_NEWCGROUP}, kDeny},
    {"open", {0, O_RDONLY, 04755}, kAllow},
    {"open", {0, O_CREAT | O_WRONLY, 0755}, kAllow},
    {"open", {0, O_CREAT | O_WRONLY, 04755}, kDeny},
    {"openat", {0, 0, O_CREAT | O_WRONLY, 02755}, kDeny},
    {"openat", {0, 0, O_TMPFILE | O_RDWR, 04700}, kDeny},
    {"openat", {0, 0, O_DIRECTORY, 04700}, kAllow},
    {"openat", {0, 0, O_CREAT | kGarbageAbove, 04755 | kGarbageAbove}, kDeny},
    {"creat", {0, 04755}, kDeny},
    {"creat", {0, 0644}, kAllow},
    {"chmod", {0, 04755}, kDeny},
    {"chmod", {0, 01777}, kAllow},
    {"fchmod", {0, 02755}, kDeny},
    {"fchmodat", {0, 0, 06755}, kDeny},
    {"fchmodat2", {0, 0, 04000 | kGarbageAbove}, kDeny},
    {"fchmodat2", {0, 0, 0755}, kAllow},
    {"mkdir", {0, 02755}, kDeny},
    {"mkdirat", {0, 0, 02755}, kDeny},
    {"mkdirat", {0, 0, 0700}, kAllow},
    {"mknod", {0, S_IFIFO | 0644}, kAllow},
    {"mknod", {0, S_IFBLK | 0644}, kDeny},
    {"mknodat", {0, 0, S_IFCHR | 0644}, kDeny},
    {"mknodat", {0, 0, S_IFREG | 04755}, kDeny},
    {"socket", {AF_INET, SOCK_STREAM}, kAllow},
    {"socket", {AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP}, kAllow},
    {"socket", {AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, IPPROTO_UDP}, kAllow},
    {"socket", {AF_INET, SOCK_STREAM, IPPROTO_UDP}, error(EPROTONOSUPPORT)},
    {"socket", {AF_INET, SOCK_STREAM, 262}, error(EPROTONOSUPPORT)},
    {"socket", {AF_INET6, SOCK_STREAM, 262}, error(EPROTONOSUPPORT)},
    {"socket", {AF_INET, SOCK_STREAM, IPPROTO_SCTP}, error(EPROTONOSUPPORT)},
    {"socket", {AF_INET, SOCK_DGRAM, IPPROTO_ICMP}, error(EPROTONOSUPPORT)},
    {"socket", {AF_INET, SOCK_RAW, IPPROTO_ICMP}, kDeny},
    {"socket", {AF_INET, SOCK_PACKET}, kDeny},
    {"socket", {AF_NETLINK, SOCK_RAW, NETLINK_ROUTE}, kAllow},
    {"socket", {AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_ROUTE}, kAllow},
    {"socket", {AF_NETLINK, SOCK_RAW, NETLINK_AUDIT}, error(EPROTONOSUPPORT)},
    {"socket", {AF_VSOCK, SOCK_STREAM}, error(EAFNOSUPPORT)},
    {"socket", {AF_VSOCK | kGarbageAbove, SOCK_STREAM}, error(EAFNOSUPPORT)},
    {"socket", {AF_PACKET, SOCK_RAW}, error(EAFNOSUPPORT)},
    {"socket", {AF_ALG, SOCK_SEQPACKET}, error(EAFNOSUPPORT)},
    {"socket", {AF_UNIX, SOCK_STREAM}, kDeny},
    {"socketpair", {AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC}, kAllow},
    {"socketpair", {AF_UNIX, SOCK_SEQPACKET}, kAllow},
    {"socketpair", {AF_UNIX, SOCK_DGRAM}, kDeny},
    {"socketpair", {AF_UNIX, SOCK_RAW}, kDeny},
    {"socketpair", {AF_TIPC, SOCK_STREAM}, error(EOPNOTSUPP)},
    {"sendto", {0, 0, 0, MSG_NOSIGNAL}, kAllow},
    {"sendto", {0, 0, 0, MSG_FASTOPEN}, error(EOPNOTSUPP)},
    {"sendmsg", {0, 0, MSG_FASTOPEN | MSG_NOSIGNAL}, error(EOPNOTSUPP)},
    {"sendmmsg", {0, 0, 1, MSG_FASTOPEN | kGarbageAbove}, error(EOPNOTSUPP)},
    {"setsockopt", {0, SOL_SOCKET, 31}, kAllow},
    {"setsockopt", {0, IPPROTO_TCP, 31}, kDeny},
    {"setsockopt", {0, IPPROTO_TCP, 1}, kAllow},
    {"memfd_create", {0, 0}, kDeny},
    {"memfd_create", {0, 1 | 2}, kDeny},
    {"memfd_create", {0, 0x10}, kDeny},
    {"memfd_create", {0, 0x8 | 1}, kAllow},
    {"memfd_secret", {}, kDeny},
    {"execveat", {0, 0, 0, 0, AT_EMPTY_PATH}, kAllow},
    {"personality", {0}, kAllow},
    {"personality", {0xffffffff}, kAllow},
    {"personality", {0x0040000}, kDeny},
    {"prctl", {PR_SET_NAME}, kAllow},
    {"prctl", {PR_SET_DUMPABLE, 0}, kDeny},
    {"prctl", {PR_SET_DUMPABLE, 1}, kAllow},
    {"prctl", {PR_SET_DUMPABLE | kGarbageAbove, 0}, kDeny},
    {"prctl", {PR_SET_MM, 1}, kDeny},
    {"prctl", {PR_SET_PDEATHSIG, 9}, kAllow},
    {"prctl", {PR_SET_PTRACER, 1}, kAllow},
    {"ioctl", {0, TCGETS}, kAllow},
    {"ioctl", {0, TIOCSTI}, kDeny},
    {"ioctl", {0, TIOCSTI | kGarbageAbove}, kDeny},
    {"ioctl", {0, TIOCLINUX}, kDeny},
    {"ioctl", {0, TIOCSETD}, kDeny},
    {"seccomp", {SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC}, kAllow},
    {"seccomp", {SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER}, error(EBUSY)},
    {"kill", {1, 9}, kAllow},
    {"truncate", {}, kAllow},
    {"chown", {}, kAllow},
    {"shmget", {}, kAllow},
    {"io_submit", {}, kAllow},
    {"sched_setaffinity", {1}, kDeny},  // pid 1 is the jail's own
    {"sched_setaffinity", {2}, kAllow},
};

TEST(SeccompPlan, BuiltInSetSaysWhatWasDecided) {
  const Plan standard = plan({});
  for (const Expectation& expected : kStandard)
    EXPECT_TRUE(verdict(standard, expected.call, expected.arguments) == expected.verdict)
        << expected.call << "(" << std::hex << expected.arguments[0] << ", " << expected.arguments[1] << ", "
        << expected.arguments[2] << ", " << expected.arguments[3] << ")";
  EXPECT_TRUE(standard.diagnostics.empty());
  EXPECT_TRUE(standard.changes.empty());
}

TEST(SeccompPlan, UnknownNumbersAndForeignMachinesAreAbsent) {
  const Plan standard = plan({});
  for (const std::uint32_t number : {337U, 400U, 423U, 472U, 600U, 0x40000000U, 0x40000001U, 0x7fffffffU, 0xffffffffU})
    EXPECT_TRUE(evaluate(standard, call_of(number)) == kAbsent) << number;
  seccomp_data i386 = call_of("read");
  i386.arch = AUDIT_ARCH_I386;
  EXPECT_TRUE(evaluate(standard, i386) == kAbsent);
}

// What gives the jail away, and what a group of systemd would give with it.
const std::string_view kInvariants[] = {"setns",
                                        "unshare",
                                        "clone3",
                                        "io_uring_setup",
                                        "io_uring_enter",
                                        "io_uring_register",
                                        "process_vm_readv",
                                        "process_vm_writev",
                                        "add_key",
                                        "request_key",
                                        "keyctl",
                                        "name_to_handle_at",
                                        "open_by_handle_at",
                                        "kcmp",
                                        "userfaultfd",
                                        "bpf",
                                        "perf_event_open",
                                        "ptrace",
                                        "pidfd_getfd",
                                        "mount",
                                        "umount2",
                                        "pivot_root",
                                        "chroot",
                                        "open_tree",
                                        "open_tree_attr",
                                        "move_mount",
                                        "fsopen",
                                        "fsconfig",
                                        "fsmount",
                                        "fspick",
                                        "mount_setattr",
                                        "init_module",
                                        "finit_module",
                                        "delete_module",
                                        "kexec_load",
                                        "kexec_file_load",
                                        "reboot",
                                        "swapon",
                                        "swapoff",
                                        "iopl",
                                        "ioperm",
                                        "acct",
                                        "quotactl",
                                        "quotactl_fd",
                                        "openat2",
                                        "syslog",
                                        "memfd_secret",
                                        "listns"};

TEST(SeccompPlan, NoGroupLiftsAnInvariant) {
  std::vector<std::string> all{"@system-service", "@process", "@aio", "@ipc"};
  const Plan few = plan(changes(all));
  for (const Group& group : groups()) all.emplace_back(group.name);
  const Plan every = plan(strict(changes(all)));
  for (const std::string_view name : kInvariants) {
    EXPECT_TRUE(verdict(few, name) != kAllow) << name;
    EXPECT_TRUE(verdict(every, name) != kAllow) << name;
  }
}

TEST(SeccompPlan, NoGroupLiftsACheck) {
  std::vector<std::string> all;
  for (const Group& group : groups()) all.emplace_back(group.name);
  const Plan every = plan(changes(all));
  for (const Expectation& expected : kStandard) {
    if (expected.verdict == kAllow || find_row(expected.call)->checks.empty()) continue;
    EXPECT_TRUE(verdict(every, expected.call, expected.arguments) == expected.verdict) << expected.call;
  }
}

TEST(SeccompPlan, ACallsOwnNameLiftsItsInvariantAndTheRiskIsSaid) {
  for (const std::string_view name : kInvariants) {
    const Plan lifted = plan(changes({std::string(name)}));
    EXPECT_TRUE(verdict(lifted, name) == kAllow) << name;
    ASSERT_EQ(lifted.diagnostics.size(), 1U) << name;
    EXPECT_EQ(lifted.diagnostics[0].severity, Diagnostic::Severity::Warning);
    EXPECT_EQ(lifted.diagnostics[0].place, at(10));
    EXPECT_NE(lifted.diagnostics[0].message.find(find_row(name)->risk), std::string::npos);
  }
}

TEST(SeccompPlan, ANameLiftsTheChecksOfThatCallAlone) {
  const Plan lifted = plan(changes({"socket"}));
  EXPECT_TRUE(verdict(lifted, "socket", {AF_VSOCK, SOCK_STREAM}) == kAllow);
  EXPECT_TRUE(verdict(lifted, "socketpair", {AF_TIPC, SOCK_STREAM}) != kAllow);
}

TEST(SeccompPlan, ANameThatIsOpenAnywayIsNoRisk) {
  EXPECT_TRUE(plan(changes({"read", "kill", "setuid"})).diagnostics.empty());
  EXPECT_FALSE(plan(changes({"kill"}), {.gaps = {Gap::Signals}}).diagnostics.empty());
}

TEST(SeccompPlan, GroupsSayWhatTheyDoNotOpen) {
  const Plan keyring = plan(changes({"@keyring"}));
  ASSERT_EQ(keyring.diagnostics.size(), 1U);
  EXPECT_EQ(keyring.diagnostics[0].message, "'@keyring' does not open add_key, request_key, keyctl");
  EXPECT_TRUE(plan(changes({"@clock"})).diagnostics.empty());
}

TEST(SeccompPlan, AGroupOpensWhatIsHarmless) {
  EXPECT_TRUE(verdict(plan({}), "clock_adjtime") == kDeny);
  EXPECT_TRUE(verdict(plan(changes({"@clock"})), "clock_adjtime") == kAllow);
  EXPECT_TRUE(verdict(plan(strict()), "sched_setaffinity") == kDeny);
  EXPECT_TRUE(verdict(plan(strict(changes({"@resources"}))), "sched_setaffinity") == kAllow);
}

TEST(SeccompPlan, AGroupInStrictOpensNoMoreThanStandardHas) {
  const Plan ipc = plan(strict(changes({"@ipc"})), {.gaps = {Gap::Ipc}});
  EXPECT_TRUE(verdict(ipc, "shmget") == kDeny);
  EXPECT_TRUE(verdict(plan(strict(changes({"@ipc"}))), "shmget") == kAllow);
}

TEST(SeccompPlan, DenyWinsWhateverTheOrder) {
  const Plan both = plan(changes({"@file-system", "rename"}, {"rename"}));
  EXPECT_TRUE(verdict(both, "rename") == kDeny);
  ASSERT_FALSE(both.diagnostics.empty());
  EXPECT_EQ(both.diagnostics.back().message, "'rename' is allowed and denied: deny wins");
  EXPECT_TRUE(verdict(plan(changes({"socket"}, {"@network-io"})), "socket", {AF_INET, SOCK_STREAM}) == kDeny);
}

TEST(SeccompPlan, DenyDropsAllClauses) {
  const Plan denied = plan(changes({}, {"socket", "memfd_create"}));
  EXPECT_TRUE(verdict(denied, "socket", {AF_INET, SOCK_STREAM}) == kDeny);
  EXPECT_TRUE(verdict(denied, "memfd_create", {0, 8}) == kDeny);
}

TEST(SeccompPlan, DenyKeepsTheErrnoThatCallersFallBackFrom) {
  EXPECT_TRUE(verdict(plan(changes({}, {"clone3"})), "clone3") == kAbsent);
}

TEST(SeccompPlan, DenyingExecveIsAnError) {
  EXPECT_TRUE(profile::has_errors(plan(changes({}, {"execve"})).diagnostics));
  EXPECT_TRUE(profile::has_errors(plan(changes({}, {"@default"})).diagnostics));
  EXPECT_FALSE(profile::has_errors(plan(changes({}, {"execveat"})).diagnostics));
}

TEST(SeccompPlan, UnknownNamesAreErrorsWithAHint) {
  const Plan wrong = plan(changes({"sokcet", "@netwrk-io"}, {"xyzzyplugh"}));
  ASSERT_EQ(wrong.diagnostics.size(), 3U);
  EXPECT_EQ(wrong.diagnostics[0].message, "unknown group of system calls '@netwrk-io'");
  EXPECT_EQ(wrong.diagnostics[0].hint, "did you mean '@network-io'?");
  EXPECT_EQ(wrong.diagnostics[0].place, at(11));
  EXPECT_EQ(wrong.diagnostics[1].message, "unknown system call 'sokcet'");
  EXPECT_EQ(wrong.diagnostics[1].hint, "did you mean 'socket'?");
  EXPECT_EQ(wrong.diagnostics[2].hint, "");
  EXPECT_TRUE(profile::has_errors(wrong.diagnostics));
}

TEST(SeccompPlan, TheLineThatDecidesIsKnown) {
  const Plan changed = plan(changes({"@clock", "keyctl", "read"}, {"rename", "ptrace"}));
  EXPECT_EQ(decided_by(changed, find_row("clock_adjtime")->number), at(10));
  EXPECT_EQ(decided_by(changed, find_row("keyctl")->number), at(11));
  EXPECT_EQ(decided_by(changed, find_row("rename")->number), at(13));
  EXPECT_EQ(decided_by(changed, find_row("ptrace")->number), at(14));
  EXPECT_EQ(decided_by(changed, find_row("read")->number), std::nullopt);  // allowed anyway
  EXPECT_EQ(decided_by(changed, find_row("bpf")->number), std::nullopt);
  EXPECT_EQ(decided_by(changed, 5000), std::nullopt);
}

TEST(SeccompPlan, StrictIsNeverWiderThanStandard) {
  const Plan standard = plan({});
  const Plan narrow = plan(strict());
  test::RandomCalls calls(standard);
  for (int i = 0; i < 200'000; ++i) {
    const seccomp_data call = calls.next();
    if (evaluate(narrow, call) == kAllow) {
      ASSERT_TRUE(evaluate(standard, call) == kAllow) << call.nr;
    }
  }
  EXPECT_TRUE(verdict(narrow, "execveat", {0, 0, 0, 0, AT_EMPTY_PATH}) == kDeny);
  EXPECT_TRUE(verdict(narrow, "execveat") == kAllow);
  EXPECT_TRUE(verdict(narrow, "shmget") == kDeny);
}

TEST(SeccompPlan, EachGapOnlyNarrows) {
  const Plan standard = plan({});
  const Plan closed = plan({}, test::every_gap());
  test::RandomCalls calls(closed);
  for (int i = 0; i < 200'000; ++i) {
    const seccomp_data call = calls.next();
    if (evaluate(closed, call) == kAllow) {
      ASSERT_TRUE(evaluate(standard, call) == kAllow) << call.nr;
    }
  }
}

TEST(SeccompPlan, GapsAreClosed) {
  const Plan closed = plan({}, test::every_gap());
  for (const std::string_view name : {"chmod",
                                      "fchmod",
                                      "fchmodat",
                                      "fchmodat2",
                                      "chown",
                                      "fchown",
                                      "lchown",
                                      "fchownat",
                                      "setxattr",
                                      "lsetxattr",
                                      "fsetxattr",
                                      "setxattrat",
                                      "removexattr",
                                      "removexattrat",
                                      "utime",
                                      "utimes",
                                      "futimesat",
                                      "utimensat",
                                      "file_setattr",
                                      "truncate",
                                      "kill",
                                      "tkill",
                                      "tgkill",
                                      "rt_sigqueueinfo",
                                      "rt_tgsigqueueinfo",
                                      "pidfd_send_signal",
                                      "shmget",
                                      "shmat",
                                      "semget",
                                      "msgget",
                                      "mq_open",
                                      "mq_unlink"})
    EXPECT_TRUE(verdict(closed, name) == kDeny) << name;
  EXPECT_TRUE(verdict(closed, "openat", {0, 0, O_RDONLY | O_TRUNC}) == kDeny);
  EXPECT_TRUE(verdict(closed, "open", {0, O_ACCMODE | O_TRUNC}) == kDeny);
  EXPECT_TRUE(verdict(closed, "open", {0, O_WRONLY | O_TRUNC}) == kAllow);
  EXPECT_TRUE(verdict(closed, "ioctl", {0, 0x40086602}) == kDeny);  // FS_IOC_SETFLAGS
  EXPECT_TRUE(verdict(closed, "fcntl", {0, F_SETOWN, 1}) == kDeny);
  EXPECT_TRUE(verdict(closed, "fcntl", {0, F_DUPFD}) == kAllow);
  EXPECT_TRUE(verdict(closed, "prlimit64", {0}) == kAllow);
  EXPECT_TRUE(verdict(closed, "prlimit64", {1}) == kDeny);
  EXPECT_TRUE(verdict(closed, "setpriority", {0, 1}) == kDeny);
  EXPECT_TRUE(verdict(closed, "setpriority", {0, 0}) == kAllow);
  EXPECT_TRUE(verdict(closed, "setpriority", {2, 0}) == kDeny);  // PRIO_USER: all of the user's processes
  EXPECT_TRUE(verdict(closed, "ioprio_set", {1, 0}) == kAllow);
  EXPECT_TRUE(verdict(closed, "ioprio_set", {3, 0}) == kDeny);
}

TEST(SeccompPlan, UnixSocketsAsStated) {
  const Plan none = plan({}, {.unix_sockets = UnixSockets::Denied});
  const Plan pairs = plan({}, {.unix_sockets = UnixSockets::SocketpairOnly});
  const Plan all = plan({}, {.unix_sockets = UnixSockets::Allowed});
  const Plan connect_only = plan({}, {.unix_sockets = UnixSockets::ConnectOnly});
  EXPECT_TRUE(verdict(connect_only, "socket", {AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC}) == kAllow);
  EXPECT_TRUE(verdict(connect_only, "socket", {AF_UNIX, SOCK_SEQPACKET}) == kAllow);
  EXPECT_TRUE(verdict(connect_only, "socket", {AF_UNIX, SOCK_DGRAM}) == kDeny);
  EXPECT_TRUE(verdict(connect_only, "socketpair", {AF_UNIX, SOCK_STREAM}) == kAllow);
  EXPECT_TRUE(verdict(connect_only, "socketpair", {AF_UNIX, SOCK_DGRAM}) == kDeny);
  EXPECT_TRUE(verdict(none, "socketpair", {AF_UNIX, SOCK_STREAM}) == kDeny);
  EXPECT_TRUE(verdict(none, "socket", {AF_UNIX, SOCK_STREAM}) == kDeny);
  EXPECT_TRUE(verdict(pairs, "socketpair", {AF_UNIX, SOCK_STREAM}) == kAllow);
  EXPECT_TRUE(verdict(pairs, "socketpair", {AF_UNIX, SOCK_DGRAM}) == kDeny);
  EXPECT_TRUE(verdict(pairs, "socket", {AF_UNIX, SOCK_STREAM}) == kDeny);
  EXPECT_TRUE(verdict(all, "socket", {AF_UNIX, SOCK_DGRAM}) == kAllow);
  EXPECT_TRUE(verdict(all, "socketpair", {AF_UNIX, SOCK_DGRAM}) == kAllow);
}

}  // namespace
}  // namespace jail::confine::seccomp
