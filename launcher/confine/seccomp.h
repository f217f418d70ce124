// The system-call filter: an allow list by number, with argument checks, as one classic BPF program.
//
//   probe()    what this kernel offers                          (jail doctor)
//   plan()     profile -> a rule for every number               (pure: jail show, check, diff)
//   compile()  rules -> program                                 (pure)
//   enforce()  program -> seccomp(2)                            (the plugin process, last act before execve)
//   verify()   read back what took effect                       (tests, jail doctor)
//
// The default is ENOSYS for every number without a row, for i386 and for x32: what a kernel without them answers, so
// that libc falls back. A known call that is refused gets EPERM, or the errno that makes its callers fall back.
#pragma once

#include <linux/filter.h>
#include <linux/seccomp.h>

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "confine/syscall_table.h"
#include "profile/profile.h"

namespace jail::confine::seccomp {

using Program = std::vector<sock_filter>;

inline constexpr std::uint32_t kX32Bit = 0x40000000;  // __X32_SYSCALL_BIT: in every number of that ABI

// Which AF_UNIX sockets can be made. Below Landlock ABI 9 a path socket can be connected to through any read-only
// grant, so only pairs may be had there, and only of the types that cannot be pointed at a path afterwards: a datagram
// pair can (connect(2), sendto(2)). ConnectOnly adds sockets that reach a path by connect(2) alone, for a jail whose
// supervisor makes every connection itself (monitor/connector.h).
enum class UnixSockets { Denied, SocketpairOnly, ConnectOnly, Allowed };

// What no other layer holds on this machine or in this tier, so that the filter must (the closing table).
enum class Gap {
  PathMetadata,  // no mount view: chmod, chown, setxattr, utime, inode flags, of any file the user owns
  Truncate,      // Landlock below ABI 3: truncate(2), and O_TRUNC through a descriptor that cannot write
  Signals,       // no pid namespace, and Landlock below ABI 6 scopes no signals: kill(2) and its siblings
  Processes,     // no pid namespace: limits, priority and affinity of the user's other processes
  Ipc,           // no IPC namespace: System V IPC and POSIX message queues of the same user
};

struct Options {
  UnixSockets unix_sockets = UnixSockets::SocketpairOnly;
  std::vector<Gap> gaps{};
};

// A line of the profile that changed the set.
struct Change {
  enum class Effect { Allowed, Denied };
  std::string name;  // as written: a system call or a group
  profile::Place place;
  Effect effect = Effect::Allowed;
};

// What happens to one number: the first clause whose tests all hold decides, else `otherwise`.
struct Rule {
  Verdict otherwise = kAbsent;
  std::vector<Clause> clauses{};
  std::optional<std::size_t> change{};  // index into Plan::changes of the line that decided; none: the built-in set
};

struct Plan {
  profile::SyscallSet set = profile::SyscallSet::Standard;
  std::array<Rule, kTableEnd> rules;
  Verdict unknown = kAbsent;  // a number beyond the table
  Verdict foreign = kAbsent;  // another machine's ABI: i386, x32
  std::vector<Change> changes;
  profile::Diagnostics diagnostics;  // unknown names (errors); invariants lifted, groups that lift nothing (warnings)
};

Plan plan(const profile::Syscalls& wanted, const Options& options = {});

// What the plan answers to a call, by the rules alone: the reference that compile() is held against.
Verdict evaluate(const Plan& plan, const seccomp_data& call);
// The same as the program says it (SECCOMP_RET_*).
std::uint32_t return_value(Verdict verdict);

// A call that the supervisor shall see although it is allowed; of those, `quiet` ones stay out of its sight.
struct Observation {
  std::uint16_t number = 0;          // of a row
  std::span<const Clause> quiet{};
};

// The same plan as the kernel is given it where a supervisor listens: what it denies, and what is observed, is
// notified. What has no row in the table stays ENOSYS without a word. Whoever answers lets a call continue only where
// the plan itself, compiled and run over the same registers, allows it (SECURITY B1).
Plan observed(const Plan& plan, std::span<const Observation> observations);

// The line of the profile that decided this number; none: the built-in set, "default" in events.
std::optional<profile::Place> decided_by(const Plan& plan, std::uint32_t number);

// At most BPF_MAXINSNS (4096) instructions.
Program compile(const Plan& plan);

// The filter of pid 1 of a jail: the calls of a loop that polls, reads, waits, reports and kills. Any other call kills
// it, and with it the jail: it no longer runs our code.
Program init_program();
// The filter of a relay (egress/relay.h): Internet sockets, and what passes bytes on between them.
enum class Transports { Streams, StreamsAndDatagrams };
Program relay_program(Transports transports);

// Installs the program for this thread and what it starts (seccomp(2), Linux 3.17). Allocates nothing, throws nothing.
// `flags`: SECCOMP_FILTER_FLAG_*. The result is the listener with SECCOMP_FILTER_FLAG_NEW_LISTENER, else 0; negative:
// -errno. EACCES: no_new_privs is not set; EBUSY: an outer jail has the one listener already.
int enforce(std::span<const sock_filter> program, std::uint32_t flags = 0) noexcept;

// The same with SECCOMP_FILTER_FLAG_NEW_LISTENER, and where the kernel knows it (Linux 5.19) such that a signal which
// does not kill leaves a received call alone. The listener, close-on-exec, or -errno.
int enforce_listening(std::span<const sock_filter> program) noexcept;

// What this process runs under.
struct Installed {
  int mode = 0;     // SECCOMP_MODE_*: 0 none, 2 filter
  int filters = 0;  // Linux 5.9
};
Installed verify();

struct Support {
  bool filter = false;             // Linux 3.5, CONFIG_SECCOMP_FILTER
  bool kill_process = false;       // Linux 4.14
  bool notify = false;             // SECCOMP_RET_USER_NOTIF, Linux 5.0
  bool wait_killable = false;      // SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, Linux 5.19
  bool memfd_noexec_seal = false;  // Linux 6.3; before, every memfd_create is refused: by us without the flag, by the
                                   // kernel with it
};
Support probe();

}  // namespace jail::confine::seccomp
