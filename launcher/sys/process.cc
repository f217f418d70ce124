#include "sys/process.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/keyctl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "base/error.h"
#include "sys/file.h"

namespace jail::sys {
namespace {

[[maybe_unused]] bool single_threaded() {
  // Links of /proc/self/task: ".", ".." and one per thread.
  struct stat status {};
  return ::stat("/proc/self/task", &status) != 0 || status.st_nlink == 3;
}

Child fork_with(std::uint64_t flags, int& error) {
  assert(single_threaded());
  int pidfd = -1;
  const long pid = ::syscall(SYS_clone, flags | CLONE_PIDFD | SIGCHLD, nullptr, &pidfd, nullptr, 0);
  error = pid < 0 ? errno : 0;
  return {static_cast<pid_t>(pid), pid > 0 ? Fd(pidfd) : Fd()};
}

Child fork_or_throw(std::uint64_t flags) {
  int error = 0;
  Child child = fork_with(flags, error);
  if (error != 0) throw SysError(error, "clone");
  return child;
}

}  // namespace

Child fork_into(std::uint64_t namespaces) { return fork_or_throw(namespaces); }

Child try_fork_into(std::uint64_t namespaces, int& error) { return fork_with(namespaces, error); }

Child fork_into_group(const Fd& group) {
  int error = 0;
  Child child = try_fork_into_group(group, 0, error);
  if (error != 0) throw SysError(error, "clone3");
  return child;
}

bool can_fork_into_group() noexcept { return ::syscall(SYS_clone3, nullptr, 0) < 0 && errno == EINVAL; }

Child try_fork_into_group(const Fd& group, std::uint64_t namespaces, int& error) {
  assert(single_threaded());
  int pidfd = -1;
  clone_args arguments{};
  arguments.flags = namespaces | CLONE_PIDFD | CLONE_INTO_CGROUP;
  arguments.pidfd = reinterpret_cast<std::uintptr_t>(&pidfd);
  arguments.exit_signal = SIGCHLD;
  arguments.cgroup = static_cast<std::uint64_t>(group.get());
  const long pid = ::syscall(SYS_clone3, &arguments, sizeof arguments);
  error = pid < 0 ? errno : 0;
  return {static_cast<pid_t>(pid), pid > 0 ? Fd(pidfd) : Fd()};
}

Child fork_sibling() { return fork_or_throw(CLONE_PARENT); }

void join_namespaces(const Fd& process, std::uint64_t namespaces) {
  check(::setns(process.get(), static_cast<int>(namespaces)), "setns");
}

void unshare(std::uint64_t namespaces) { check(::unshare(static_cast<int>(namespaces)), "unshare"); }

Fd pidfd_open(pid_t pid) { return Fd(static_cast<int>(check(::syscall(SYS_pidfd_open, pid, 0), "pidfd_open"))); }

Fd try_pidfd_open(pid_t pid) noexcept { return Fd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))); }

pid_t number_of(const Fd& process) {
  const std::string path = "/proc/self/fdinfo/" + std::to_string(process.get());
  const Fd file(check(::open(path.c_str(), O_RDONLY | O_CLOEXEC), "open", path));
  const std::string text = read_file(file, 4096);
  const std::size_t field = text.find("\nPid:\t");
  const pid_t number = field == std::string::npos ? 0 : static_cast<pid_t>(std::atoi(text.c_str() + field + 6));
  return std::max(number, 0);
}

bool has_its_number(const Fd& process) noexcept {
  return ::syscall(SYS_pidfd_send_signal, process.get(), 0, nullptr, 0) == 0 || errno == EPERM;
}

bool pidfd_send_signal(const Fd& process, int signal) {
  if (::syscall(SYS_pidfd_send_signal, process.get(), signal, nullptr, 0) == 0) return true;
  if (errno == ESRCH) return false;
  throw SysError(errno, "pidfd_send_signal", ::strsignal(signal));
}

Fd pidfd_getfd(const Fd& process, int number) {
  return Fd(static_cast<int>(check(::syscall(SYS_pidfd_getfd, process.get(), number, 0), "pidfd_getfd")));
}

Fd try_pidfd_getfd(pid_t process, int number, int& error) noexcept {
  const Fd opened(static_cast<int>(::syscall(SYS_pidfd_open, process, 0)));
  Fd found(opened ? static_cast<int>(::syscall(SYS_pidfd_getfd, opened.get(), number, 0)) : -1);
  error = found ? 0 : errno;
  return found;
}

ssize_t process_vm_read(pid_t thread, std::uint64_t address, std::span<std::byte> into) noexcept {
  const iovec here{into.data(), into.size()};
  const iovec there{reinterpret_cast<void*>(address), into.size()};
  const ssize_t size = ::process_vm_readv(thread, &here, 1, &there, 1, 0);
  return size < 0 ? -errno : size;
}

Ended reap_any() noexcept {
  Ended ended;
  const pid_t pid = ::wait4(-1, &ended.status, WNOHANG, &ended.usage);
  ended.pid = pid > 0 ? pid : 0;
  return ended;
}

Ended reap(pid_t pid) {
  Ended ended;
  ended.pid = check(TEMP_FAILURE_RETRY(::wait4(pid, &ended.status, 0, &ended.usage)), "wait4");
  return ended;
}

void set_dumpable(Dumpable dumpable) {
  check(::prctl(PR_SET_DUMPABLE, dumpable == Dumpable::Yes ? 1 : 0, 0, 0, 0), "prctl", "PR_SET_DUMPABLE");
}

void set_name(const std::string& name) { check(::prctl(PR_SET_NAME, name.c_str(), 0, 0, 0), "prctl", "PR_SET_NAME"); }

Dumpable dumpable() {
  return check(::prctl(PR_GET_DUMPABLE, 0, 0, 0, 0), "prctl", "PR_GET_DUMPABLE") == 1 ? Dumpable::Yes : Dumpable::No;
}

void set_parent_death_signal(int signal) {
  check(::prctl(PR_SET_PDEATHSIG, signal, 0, 0, 0), "prctl", "PR_SET_PDEATHSIG");
}

int parent_death_signal() {
  int signal = 0;
  check(::prctl(PR_GET_PDEATHSIG, &signal, 0, 0, 0), "prctl", "PR_GET_PDEATHSIG");
  return signal;
}

void set_no_new_privileges() { check(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl", "PR_SET_NO_NEW_PRIVS"); }

bool no_new_privileges() { return ::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1; }

void close_from(int first, const std::vector<int>& keep) {
  assert(std::is_sorted(keep.begin(), keep.end()));
  for (const int kept : keep) {
    if (kept < first) continue;
    if (kept > first) check(::close_range(first, kept - 1, 0), "close_range");
    first = kept + 1;
  }
  check(::close_range(first, ~0U, 0), "close_range");
}

void close_on_exec_from(int first) {
  constexpr unsigned kCloseOnExec = 1U << 2;  // CLOSE_RANGE_CLOEXEC
  check(::close_range(first, ~0U, kCloseOnExec), "close_range");
}

void keep_on_exec(int fd) { check(::fcntl(fd, F_SETFD, 0), "fcntl"); }

void set_groups_empty() { check(::setgroups(0, nullptr), "setgroups"); }

void set_ids(uid_t uid, gid_t gid) {
  check(::setresgid(gid, gid, gid), "setresgid");
  check(::setresuid(uid, uid, uid), "setresuid");
}

int take_ids_of_thread(uid_t uid, gid_t gid) noexcept {
  if (::geteuid() == uid && ::getegid() == gid) return 0;
  const bool taken = ::syscall(SYS_setgroups, 0, nullptr) == 0 && ::syscall(SYS_setresgid, gid, gid, gid) == 0 &&
                     ::syscall(SYS_setresuid, uid, uid, uid) == 0;
  return taken ? 0 : errno;
}

std::vector<gid_t> supplementary_groups() {
  std::vector<gid_t> groups(static_cast<std::size_t>(check(::getgroups(0, nullptr), "getgroups")));
  const int count = check(::getgroups(static_cast<int>(groups.size()), groups.data()), "getgroups");
  groups.resize(static_cast<std::size_t>(count));
  return groups;
}

void join_new_session_keyring() {
  check(::syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, nullptr), "keyctl", "join session keyring");
}

void set_hostname(const char* name) { check(::sethostname(name, std::strlen(name)), "sethostname", name); }

void be_killable_for_memory() {
  const Fd adjustment(check(::open("/proc/self/oom_score_adj", O_RDWR | O_CLOEXEC), "open", "oom_score_adj"));
  char sign = 0;
  if (::pread(adjustment.get(), &sign, 1, 0) == 1 && sign == '-')
    check(::pwrite(adjustment.get(), "0", 1, 0), "write", "oom_score_adj");
}

void forget_environment() noexcept {
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry)
    ::explicit_bzero(*entry, std::strlen(*entry));
}

void set_limit(const Limit& limit) {
  rlimit current{};
  const auto resource = static_cast<__rlimit_resource_t>(limit.resource);
  check(::getrlimit(resource, &current), "getrlimit");
  const rlimit wanted{std::min<rlim_t>(limit.value, current.rlim_max),
                      std::min<rlim_t>(limit.value + limit.beyond, current.rlim_max)};
  check(::setrlimit(resource, &wanted), "setrlimit");
}

}  // namespace jail::sys
