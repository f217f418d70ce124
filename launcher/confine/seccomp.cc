#include "confine/seccomp.h"

#include <sys/mman.h>
#include <sys/socket.h>

#include <charconv>
#include <fstream>
#include <string>

#include "base/fd.h"
#include "sys/seccomp.h"

namespace jail::confine::seccomp {
namespace {

constexpr unsigned kMfdNoexecSeal = 0x0008U;

// Of pid 1: poll and ppoll for its descriptors, send and write for its report, read for the signals of children.
constexpr std::string_view kCallsOfInit[] = {
    "close",           "exit",         "exit_group", "kill",  "poll",   "ppoll", "read",
    "restart_syscall", "rt_sigreturn", "sendto",     "wait4", "waitid", "write"};

// Of a relay: sockets, and memory for what they do not take at once.
constexpr std::string_view kCallsOfRelay[] = {
    "accept4",         "brk",          "clock_gettime", "close",      "connect",    "epoll_create1",
    "epoll_ctl",       "epoll_pwait",  "epoll_wait",    "exit",       "exit_group", "futex",
    "getpeername",     "getrandom",    "getsockname",   "getsockopt", "madvise",    "mmap",
    "mremap",          "munmap",       "poll",          "ppoll",      "recvfrom",   "recvmsg",
    "restart_syscall", "rt_sigreturn", "sendmsg",       "sendto",     "setsockopt", "shutdown"};

Plan plan_of(std::span<const std::string_view> calls) {
  Plan plan;
  plan.unknown = plan.foreign = kKill;
  for (Rule& rule : plan.rules) rule.otherwise = kKill;
  for (const std::string_view name : calls) plan.rules[find_row(name)->number].otherwise = kAllow;
  return plan;
}

// Of the Internet alone: a path socket of the host's is nothing a relay may reach.
Plan plan_of_relay(Transports transports) {
  constexpr std::uint32_t kTypeMask = 0xf;  // the kernel's own, without SOCK_CLOEXEC and SOCK_NONBLOCK
  const Test family{.argument = 0, .count = 2, .values = {AF_INET, AF_INET6}};
  const Test type{.argument = 1,
                  .count = static_cast<std::uint8_t>(transports == Transports::Streams ? 1 : 2),
                  .mask = kTypeMask,
                  .values = {SOCK_STREAM, SOCK_DGRAM}};
  Plan plan = plan_of(kCallsOfRelay);
  plan.rules[find_row("socket")->number].clauses.emplace_back(When::Always, std::initializer_list<Test>{family, type},
                                                              kAllow);
  return plan;
}

bool knows(sys::Known known) { return known == sys::Known::Yes; }

// The number after "Seccomp_filters:" in /proc/self/status.
int filters_in(std::istream& status) {
  constexpr std::string_view kKey = "Seccomp_filters:";
  for (std::string line; std::getline(status, line);) {
    if (!line.starts_with(kKey)) continue;
    const std::size_t start = line.find_first_not_of(" \t", kKey.size());
    int filters = 0;
    if (start != std::string::npos) std::from_chars(line.data() + start, line.data() + line.size(), filters);
    return filters;
  }
  return 0;
}

}  // namespace

Program init_program() { return compile(plan_of(kCallsOfInit)); }

Program relay_program(Transports transports) { return compile(plan_of_relay(transports)); }

int enforce(std::span<const sock_filter> program, std::uint32_t flags) noexcept {
  return sys::seccomp_set_mode_filter(program, flags);
}

int enforce_listening(std::span<const sock_filter> program) noexcept {
  const int listener = enforce(program, SECCOMP_FILTER_FLAG_NEW_LISTENER | sys::kWaitKillableRecv);
  return listener == -EINVAL ? enforce(program, SECCOMP_FILTER_FLAG_NEW_LISTENER) : listener;
}

Installed verify() {
  std::ifstream status("/proc/self/status");
  return {.mode = sys::seccomp_mode(), .filters = filters_in(status)};
}

Support probe() {
  const Fd sealed(::memfd_create("probe", MFD_CLOEXEC | kMfdNoexecSeal));
  return {
      .filter = knows(sys::seccomp_knows_flags(0)),
      .kill_process = knows(sys::seccomp_get_action_avail(SECCOMP_RET_KILL_PROCESS)),
      .notify = knows(sys::seccomp_get_action_avail(SECCOMP_RET_USER_NOTIF)),
      .wait_killable = knows(sys::seccomp_knows_flags(SECCOMP_FILTER_FLAG_NEW_LISTENER | sys::kWaitKillableRecv)),
      .memfd_noexec_seal = static_cast<bool>(sealed),
  };
}

}  // namespace jail::confine::seccomp
