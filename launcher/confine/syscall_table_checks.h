// The arguments that are refused, and what opening a call by its own name gives away: the data behind the rows of
// syscall_table_rows.h. Clauses are asked in order, the first match decides; numbers stand in them where a header of
// the build machine may be older than the kernel the filter runs on.
#pragma once

#include <fcntl.h>
#include <linux/fs.h>
#include <linux/netlink.h>
#include <linux/personality.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "confine/syscall_table.h"

namespace jail::confine::seccomp {

template <typename... Value>
constexpr Test masked(int argument, std::uint32_t mask, Value... values) {
  return {.argument = static_cast<std::uint8_t>(argument),
          .count = sizeof...(values),
          .mask = mask,
          .values = {static_cast<std::uint32_t>(values)...}};
}

template <typename... Value>
constexpr Test any_of(int argument, Value... values) {
  return masked(argument, 0xffffffff, values...);
}

constexpr Test negated(Test test) {
  test.is = Test::Is::NoneOf;
  return test;
}

constexpr Test any_bits(int argument, std::uint32_t bits) { return negated(masked(argument, bits, 0)); }

constexpr Test not_zero(int argument) { return any_bits(argument, 0xffffffff); }

constexpr Verdict fails_with(int error) { return {Action::Errno, static_cast<std::uint16_t>(error)}; }

// --- Descriptors, files, modes ---------------------------------------------------------------------------------------

// A file made set-user-ID in a write grant is set-user-ID for everybody on the host, whose mount is not nosuid.
constexpr std::uint32_t kSetIdBits = S_ISUID | S_ISGID;
// O_TMPFILE without the O_DIRECTORY it carries. Without one of these the kernel does not look at the mode, and libcs
// pass whatever the register holds.
constexpr std::uint32_t kCreating = O_CREAT | (O_TMPFILE & ~O_DIRECTORY);
// Access mode 3 (neither reading nor writing) truncates as well.
constexpr std::uint32_t kTruncateMask = O_TRUNC | O_ACCMODE;

constexpr Clause mode_in(int argument) { return {When::Always, {any_bits(argument, kSetIdBits)}, kDeny}; }
constexpr Clause metadata() { return {When::GapPathMetadata, {}, kDeny}; }
constexpr Clause created_mode(int flags, int mode) {
  return {When::Always, {any_bits(flags, kCreating), any_bits(mode, kSetIdBits)}, kDeny};
}
constexpr Clause truncating(int flags) {
  return {When::GapTruncate, {masked(flags, kTruncateMask, O_TRUNC | O_RDONLY, O_TRUNC | O_ACCMODE)}, kDeny};
}
// CAP_MKNOD is gone; this stands should it not be.
constexpr Clause device(int mode) { return {When::Always, {masked(mode, S_IFMT, S_IFCHR, S_IFBLK)}, kDeny}; }

constexpr std::array kCheckOpen{created_mode(1, 2), truncating(1)};
constexpr std::array kCheckOpenat{created_mode(2, 3), truncating(2)};
constexpr std::array kCheckModeInSecond{mode_in(1)};
constexpr std::array kCheckModeInThird{mode_in(2)};
constexpr std::array kCheckChmod{metadata(), mode_in(1)};
constexpr std::array kCheckChmodat{metadata(), mode_in(2)};
constexpr std::array kCheckMknod{device(1), mode_in(1)};
constexpr std::array kCheckMknodat{device(2), mode_in(2)};
constexpr std::array kCheckMetadata{metadata()};
constexpr std::array kCheckTruncate{Clause{When::GapTruncate, {}, kDeny}};

constexpr std::uint32_t kFsIocEnableVerity = 0x40806685;  // _IOW('f', 133, struct fsverity_enable_arg), Linux 5.4
constexpr std::array kCheckIoctl{
    // What injects input into a terminal, and line disciplines, which load modules.
    Clause{When::Always, {any_of(1, TIOCSTI, TIOCLINUX, TIOCSETD)}, kDeny},
    // Inode attributes change through a descriptor that was opened for reading.
    Clause{When::GapPathMetadata, {any_of(1, FS_IOC_SETFLAGS, FS_IOC_FSSETXATTR, kFsIocEnableVerity)}, kDeny},
    Clause{When::GapPathMetadata, {any_of(1, FS_IOC_SETVERSION)}, kDeny},
    // FIOSETOWN and SIOCSPGRP: as F_SETOWN below.
    Clause{When::GapSignals, {any_of(1, 0x8901, 0x8902)}, kDeny},
};

// --- Programs and memory ---------------------------------------------------------------------------------------------

// Not executable and sealed so (Linux 6.3); before, the kernel answers EINVAL to the flag and EPERM comes from here
// without it: there is no memfd then, and /dev/shm, which is noexec, stands in. The reason: memfd_create and fexecve
// would run code that no `exec` line names.
constexpr std::uint32_t kMfdNoexecSeal = 0x0008U;
constexpr std::array kCheckMemfd{Clause{When::Always, {masked(1, kMfdNoexecSeal, kMfdNoexecSeal)}, kAllow}};

constexpr std::array kCheckExecveat{Clause{When::Strict, {any_bits(4, AT_EMPTY_PATH)}, kDeny}};

// 0 sets the plain personality, all ones ask for it.
constexpr std::array kCheckPersonality{Clause{When::Always, {any_of(0, PER_LINUX, 0xffffffff)}, kAllow}};

// CLONE_NEWTIME is missing on purpose: in clone(2) its bit is part of the exit signal.
constexpr std::uint32_t kNewNamespaces =
    CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;
constexpr std::array kCheckClone{Clause{When::Always, {any_bits(0, kNewNamespaces)}, kDeny}};

constexpr std::array kCheckPrctl{
    // Not dumpable is not readable for the monitor.
    Clause{When::Always, {any_of(0, PR_SET_DUMPABLE), any_of(1, 0)}, kDeny},
    Clause{When::Always, {any_of(0, PR_SET_MM)}, kDeny},
};

// EBUSY is what the kernel says to a second listener: a jail inside this one takes the path it has for that.
constexpr std::array kCheckSeccomp{
    Clause{When::Always,
           {any_of(0, SECCOMP_SET_MODE_FILTER), any_bits(1, SECCOMP_FILTER_FLAG_NEW_LISTENER)},
           fails_with(EBUSY)},
};

// --- Other processes -------------------------------------------------------------------------------------------------

constexpr std::array kCheckSignal{Clause{When::GapSignals, {}, kDeny}};
// A descriptor's owner gets its SIGIO, or any signal F_SETSIG names.
constexpr std::array kCheckFcntl{Clause{When::GapSignals, {any_of(1, F_SETOWN, F_SETSIG, F_SETOWN_EX)}, kDeny}};
// Limits and priority of the jail's pid 1 are not the plugin's to lower.
constexpr Clause init(int pid) { return {When::Always, {any_of(pid, 1)}, kDeny}; }
constexpr std::array kCheckPid{init(0), Clause{When::GapProcesses, {not_zero(0)}, kDeny}};
// Only this process: a process group or a user, even those of the caller (0), reach out of every namespace.
constexpr std::uint32_t kIoprioWhoProcess = 1;  // linux/ioprio.h, Linux 5.15
constexpr std::array kCheckSetpriority{
    Clause{When::Always, {negated(any_of(0, PRIO_PROCESS))}, kDeny},
    init(1),
    Clause{When::GapProcesses, {not_zero(1)}, kDeny},
};
constexpr std::array kCheckIoprio{
    Clause{When::Always, {negated(any_of(0, kIoprioWhoProcess))}, kDeny},
    init(1),
    Clause{When::GapProcesses, {not_zero(1)}, kDeny},
};
constexpr std::array kCheckIpc{Clause{When::GapIpc, {}, kDeny}};

// --- Sockets ---------------------------------------------------------------------------------------------------------

constexpr std::uint32_t kTypeMask = 0xf;  // SOCK_TYPE_MASK of the kernel: what is above are SOCK_CLOEXEC, SOCK_NONBLOCK
constexpr int kTcpUlp = 31;

constexpr Test family(auto... families) { return any_of(0, families...); }
constexpr Test type(auto... types) { return masked(1, kTypeMask, types...); }
constexpr Test protocol(auto... protocols) { return any_of(2, protocols...); }

// An allow list over (family, type, protocol). Its errors are those of a kernel that lacks the thing, because callers
// have a way on for them: EAFNOSUPPORT (also systemd's RestrictAddressFamilies=), EPROTONOSUPPORT for MPTCP (Go goes on
// with TCP) and other netlink families (libaudit: "no audit here"). EPERM is the kernel's own word for raw sockets.
constexpr Verdict kNoFamily = fails_with(EAFNOSUPPORT);
constexpr std::array kCheckSocket{
    Clause{When::UnixAllowed, {family(AF_UNIX)}, kAllow},
    // Streams and records go where they are connected to, whatever address a message has (unix(7)).
    Clause{When::UnixConnectOnly, {family(AF_UNIX), type(SOCK_STREAM, SOCK_SEQPACKET)}, kAllow},
    Clause{When::Always, {family(AF_INET, AF_INET6), type(SOCK_STREAM), protocol(0, IPPROTO_TCP)}, kAllow},
    Clause{When::Always, {family(AF_INET, AF_INET6), type(SOCK_DGRAM), protocol(0, IPPROTO_UDP)}, kAllow},
    Clause{When::Always, {family(AF_NETLINK), type(SOCK_RAW, SOCK_DGRAM), protocol(NETLINK_ROUTE)}, kAllow},
    Clause{When::Always, {family(AF_INET, AF_INET6), type(SOCK_STREAM, SOCK_DGRAM)}, fails_with(EPROTONOSUPPORT)},
    Clause{When::Always, {family(AF_INET, AF_INET6, AF_UNIX)}, kDeny},
    Clause{When::Always, {family(AF_NETLINK)}, fails_with(EPROTONOSUPPORT)},
};

constexpr Verdict kNoPair = fails_with(EOPNOTSUPP);
constexpr std::array kCheckSocketpair{
    Clause{When::UnixAllowed, {family(AF_UNIX)}, kAllow},
    // A stream or seqpacket pair is connected for good (EISCONN); a datagram pair can be pointed at any path.
    Clause{When::UnixSocketpair, {family(AF_UNIX), type(SOCK_STREAM, SOCK_SEQPACKET)}, kAllow},
    Clause{When::Always, {family(AF_UNIX)}, kDeny},
};

// TCP fast open connects inside a send, past Landlock's connect rule. EOPNOTSUPP: as with net.ipv4.tcp_fastopen off.
constexpr Clause fastopen(int flags) { return {When::Always, {any_bits(flags, MSG_FASTOPEN)}, fails_with(EOPNOTSUPP)}; }
constexpr std::array kCheckSendmsg{fastopen(2)};
constexpr std::array kCheckSendto{fastopen(3)};  // and sendmmsg
// An upper layer protocol turns a TCP socket into another kind (smc), which Landlock's TCP rules do not know.
constexpr std::array kCheckSetsockopt{Clause{When::Always, {any_of(1, IPPROTO_TCP), any_of(2, kTcpUlp)}, kDeny}};

// --- What opening a call by its name gives away ----------------------------------------------------------------------

constexpr std::string_view kRiskSetId = "files made set-user-ID in a write grant run with your rights on the host";
constexpr std::string_view kRiskMetadata = "mode, owner, times and attributes of every file you own can be changed";
constexpr std::string_view kRiskTruncate = "every file you own can be emptied, granted or not";
constexpr std::string_view kRiskHidden = "flags behind a pointer, which no filter can check: set-user-ID files";
constexpr std::string_view kRiskMount = "mounts can be moved, covered and made: the view of files no longer holds";
constexpr std::string_view kRiskNamespaces =
    "new namespaces give capabilities inside them, and with them most of the kernel's attack surface";
constexpr std::string_view kRiskRing = "io_uring does its work past the filter and the log: files, sockets, programs";
constexpr std::string_view kRiskHandles = "files are opened by number, past the view of the file system";
constexpr std::string_view kRiskPeers =
    "memory, registers and descriptors of other processes of the jail, and of others of this user that it can see";
constexpr std::string_view kRiskProcesses = "limits, priority and signals of your other processes";
constexpr std::string_view kRiskIpc = "shared memory, semaphores and queues of your other processes";
constexpr std::string_view kRiskKeys =
    "keys of this user that the kernel holds, and programs of the host that the kernel starts to get some";
constexpr std::string_view kRiskKernel =
    "code of the kernel that is written for administrators and a common way to take it over";
constexpr std::string_view kRiskSystem = "the whole machine, should the plugin ever hold a capability";
constexpr std::string_view kRiskHost = "shows what the host does";
constexpr std::string_view kRiskMonitor = "the log may no longer see what the plugin does";
constexpr std::string_view kRiskTerminal = "input can be put into a terminal that the plugin holds";
constexpr std::string_view kRiskPrograms = "programs run from memory that no `exec` line names";
constexpr std::string_view kRiskPersonality = "address randomisation and non-executable data can be switched off";
constexpr std::string_view kRiskSockets =
    "every socket family and protocol of the kernel: the hypervisor, raw packets, TCP past the network rules, and "
    "below Landlock ABI 9 every unix socket that can be seen";
constexpr std::string_view kRiskNetwork = "TCP connections that the network rules do not see";

}  // namespace jail::confine::seccomp
