// Stops a whole jail and lets it go on, from outside. By its control group where it has one (cgroup.freeze of version
// 2, Linux 5.2): the kernel holds each process, whatever signals it gets but SIGKILL. Else by SIGSTOP to each of its
// processes but pid 1, again and again until nobody new is met. One that has the signal can no longer fork (fork(2)
// restarts behind it), so there is an end to that; but SIGCONT, from a timer or a socket of its own, lets it go on
// until somebody looks. Found by /proc/PID/task/TID/children (CONFIG_PROC_CHILDREN), which asks no file system.
#pragma once

#include "base/fd.h"
#include "run/build.h"
#include "run/group.h"

namespace jail::run {

enum class Frozen { Whole, Partly };  // Partly: somebody may still run

class Freezer {
 public:
  Freezer(const Jail& jail, const Group* group) : jail_(jail), group_(group) {}  // null: there is none

  Frozen freeze();
  void thaw();
  // While it is frozen, every few milliseconds: stops again whom a signal has let go on.
  void look();
  // More often than what may come once, such as the end of a parent, or who has not yet noticed explain.
  [[nodiscard]] bool wakes_itself() const { return awake_ >= kMostAwake; }
  [[nodiscard]] bool needs_looks() const { return !by_group_; }

 private:
  static constexpr int kMostAwake = 30;

  Frozen stop_all();

  const Jail& jail_;
  const Group* group_;
  bool by_group_ = false;
  int awake_ = 0;  // looks that found somebody running
};

}  // namespace jail::run
