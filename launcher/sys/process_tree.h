// Processes below a process, by /proc/PID/task/TID/children (CONFIG_PROC_CHILDREN, Linux 3.5) and /proc/PID/stat
// (proc(5)), which ask no file system. What ends meanwhile is left out.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <vector>

namespace jail::sys {

bool can_list_children();

// Of all its threads.
std::vector<pid_t> children_of(pid_t parent);

// 0: it has none here, or it has ended.
pid_t parent_of(pid_t process);

// What its threads do, the liveliest of them: run (or wait for what a signal ends), wait in the kernel for what none
// does, nothing: stopped or ended.
enum class Motion { None, InKernel, Running };
Motion motion_of(pid_t process);

// These and all below them; at most kMostCounted.
inline constexpr std::size_t kMostCounted = 8192;
std::vector<pid_t> with_all_below(std::vector<pid_t> roots);

// How many threads they have, all together.
std::uint64_t threads_of(const std::vector<pid_t>& processes);

// The most open descriptors that one of them has, 0 where none has `interesting` of them. By the size of /proc/PID/fd
// (Linux 6.2); before, of a few processes with large tables, by counting.
std::uint64_t most_descriptors(const std::vector<pid_t>& processes, std::uint64_t interesting);

struct Use {
  std::uint64_t processes = 0;
  std::uint64_t user_ms = 0, system_ms = 0;  // theirs, and of their children that they have waited for
  std::uint64_t memory = 0;                  // bytes, resident; what is shared counts for each
};
// All together.
Use use_of(const std::vector<pid_t>& processes);

}  // namespace jail::sys
