// Processes and what they are: clone(2), pidfds (Linux 5.3), prctl(2), ids.
#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/fd.h"

namespace jail::sys {

struct Child {
  pid_t pid = 0;
  Fd pidfd;  // close-on-exec
};

// fork(2) with new namespaces (CLONE_NEW*). In the child `pid` is 0. The memory is copied, never shared: what a child
// that outlives an exec of its parent changes must not show in the parent. Asserts that the process has one thread,
// so the child may allocate.
Child fork_into(std::uint64_t namespaces);
// The same, with the errno as an ordinary answer: pid -1 and `error`.
Child try_fork_into(std::uint64_t namespaces, int& error);

// The same in a control group of version 2, from its first moment (clone3(2), Linux 5.7): to move a process there later
// waits for every processor, some 15 ms.
Child fork_into_group(const Fd& group);
// Of a filter that denies clone3 altogether (ENOSYS, EPERM), as some containers have.
bool can_fork_into_group() noexcept;
Child try_fork_into_group(const Fd& group, std::uint64_t namespaces, int& error);

// The same for a child of the caller's own parent (CLONE_PARENT): whoever set the caller up reaps it.
Child fork_sibling();

// Moves the caller into namespaces of that process (setns(2) with a pidfd, Linux 5.8), or into the one that the
// descriptor itself is of (0); a pid namespace holds for its later children only.
void join_namespaces(const Fd& process, std::uint64_t namespaces);
void unshare(std::uint64_t namespaces);

Fd pidfd_open(pid_t pid);
Fd try_pidfd_open(pid_t pid) noexcept;  // empty where there is none, or no room
// Its number in our pid namespace; 0: it has ended and was reaped, or it is in another.
pid_t number_of(const Fd& process);
// Also where it has ended and was not reaped yet: its number is nobody else's.
bool has_its_number(const Fd& process) noexcept;
// False when the process is gone (ESRCH).
bool pidfd_send_signal(const Fd& process, int signal);

// A descriptor of that process as one of ours (Linux 5.6). Asks for the right to ptrace it; EBADF: no such number.
Fd pidfd_getfd(const Fd& process, int number);
// The same by the process's number, with the errno as an ordinary answer: an empty Fd and `error`.
Fd try_pidfd_getfd(pid_t process, int number, int& error) noexcept;

// Memory of a thread, by its address there (process_vm_readv(2), Linux 3.2): bytes read, fewer where it becomes
// unreadable; negative: -errno. EPERM also for a program that its user may run but not read. May wait as long as a page
// fault of that thread would, for ever where its memory is a file of a file system that does not answer.
ssize_t process_vm_read(pid_t thread, std::uint64_t address, std::span<std::byte> into) noexcept;

struct Ended {
  pid_t pid = 0;
  int status = 0;  // as of waitpid(2)
  rusage usage{};
};
// The next child that has ended, without waiting; pid 0 when none has.
Ended reap_any() noexcept;
// Waits for this child.
Ended reap(pid_t pid);

enum class Dumpable { No, Yes };
void set_dumpable(Dumpable dumpable);
Dumpable dumpable();
// Of this thread, as ps(1) shows it: at most 15 bytes.
void set_name(const std::string& name);
// The signal this process gets when the thread that forked it ends. Cleared by a change of ids and by the exec of a
// set-id file (prctl(2)): set it last.
void set_parent_death_signal(int signal);
int parent_death_signal();
void set_no_new_privileges();
bool no_new_privileges();

// Closes every descriptor from `first` on, except those in `keep` (sorted). close_range(2), Linux 5.9.
void close_from(int first, const std::vector<int>& keep);
// Marks them close-on-exec instead (Linux 5.11).
void close_on_exec_from(int first);
void keep_on_exec(int fd);

// Only the ids: no supplementary group is left. All three of real, effective and saved.
void set_groups_empty();
void set_ids(uid_t uid, gid_t gid);
std::vector<gid_t> supplementary_groups();
// All of that for the calling thread alone (credentials(7): to the kernel ids are a thread's), for good. Nothing where
// it has these ids. 0 or errno.
int take_ids_of_thread(uid_t uid, gid_t gid) noexcept;

// An anonymous session keyring of our own: keys of the login session are no longer possessed (keyctl(2)).
void join_new_session_keyring();

void set_hostname(const char* name);

// Where the caller is less likely than others to be killed for want of memory, or never (/proc/PID/oom_score_adj,
// proc(5)): like others from here on. Needs a /proc.
void be_killable_for_memory();

// For a copy of a process: its environment may hold secrets that the copy has no use for.
void forget_environment() noexcept;

struct Limit {
  int resource = 0;  // RLIMIT_*
  std::uint64_t value = 0;
  std::uint64_t beyond = 0;  // how far the hard limit lies above the soft one
};
// Soft and hard limit at once; never above the hard limit that stands.
void set_limit(const Limit& limit);

}  // namespace jail::sys
