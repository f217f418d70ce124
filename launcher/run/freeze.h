// Stops a whole jail and lets it go on, from outside and without a cgroup: SIGSTOP to each of its processes but pid 1,
// again and again until nobody new is met. One that has the signal can no longer fork (fork(2) restarts behind it), so
// there is an end to that; but SIGCONT, from a timer or a socket of its own, lets it go on until somebody looks. Found
// by /proc/PID/task/TID/children (CONFIG_PROC_CHILDREN), which asks no file system.
#pragma once

#include "base/fd.h"
#include "run/build.h"

namespace jail::run {

enum class Frozen { Whole, Partly };  // Partly: somebody may still run

class Freezer {
 public:
  explicit Freezer(const Jail& jail) : jail_(jail) {}

  Frozen freeze();
  void thaw();
  // While it is frozen, every few milliseconds: stops again whom a signal has let go on.
  void look();
  // More often than what may come once, such as the end of a parent, or who has not yet noticed explain.
  [[nodiscard]] bool wakes_itself() const { return awake_ >= kMostAwake; }

 private:
  static constexpr int kMostAwake = 30;

  Frozen stop_all();

  const Jail& jail_;
  int awake_ = 0;  // looks that found somebody running
};

}  // namespace jail::run
