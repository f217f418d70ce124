// What the kernel knows of a process, by its pidfd and by a program of ours (bpf/task.bpf.c): without CAP_SYS_PTRACE,
// and without a number that could be another's meanwhile. Linux 6.1.
#pragma once

#include <vector>

#include "base/fd.h"
#include "bpf/task.h"

namespace jail::trace {

class TaskReader {
 public:
  // Needs CAP_BPF and CAP_PERFMON, now and with each look. SysError.
  TaskReader();

  // One a thread, its first thread in front; empty: the process has ended, or ended while it was looked at.
  [[nodiscard]] std::vector<jail_task> look(const Fd& process) const;

 private:
  Fd program_;
};

}  // namespace jail::trace
