// Starts the processes of a jail and waits until the plugin stands before its execve.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/fd.h"
#include "run/plan.h"
#include "run/protocol.h"
#include "run/stdio.h"
#include "sys/process.h"

namespace jail::run {

// A jail's processes, from the supervisor's side. Kills what is left of them when it goes.
class Jail {
 public:
  Jail(sys::Child init, Fd socket) : init_(std::move(init)), socket_(std::move(socket)) {}
  ~Jail();
  Jail(Jail&& other) noexcept
      : init_{std::exchange(other.init_.pid, 0), std::move(other.init_.pidfd)}, socket_(std::move(other.socket_)) {}
  Jail& operator=(Jail&&) = delete;

  [[nodiscard]] const sys::Child& init() const { return init_; }
  [[nodiscard]] const Fd& socket() const { return socket_; }

  void kill() noexcept;
  void reaped() noexcept { init_.pid = 0; }

 private:
  sys::Child init_;
  Fd socket_;
};

// Why a jail was not built: the layer that failed, the kernel's answer in words, and whether it proves that this machine
// lacks or forbids the layer.
struct BuildFailure {
  std::string layer;
  std::string reason;
  int error = 0;
};

// Forks the child; returns while it is still building. `ends` are the plugin's stdio pipes.
std::variant<Jail, BuildFailure> start(const Plan& plan, const StdioPlan& stdio, StdioEnds& ends,
                                       const std::vector<int>& passed);

struct Gate {
  Fd plugin;  // pidfd
  pid_t pid = 0;
  std::vector<Fd> masters;
};
// Waits for the plugin process to report, at most 30 s; a signal that asks to end (supervise.h) ends the wait.
std::variant<Gate, BuildFailure> wait_ready(const Jail& jail, const Fd& signals);

BuildFailure failure_of(const Report& report);

}  // namespace jail::run
