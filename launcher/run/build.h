// Starts the processes of a jail and waits until the plugin stands before its execve.
//
// Three processes come of it: pid 1 of the jail, forked before the profile is read; the builder, which joins pid 1's
// namespaces and ends when it has forked the plugin; the plugin, a child of the supervisor.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/fd.h"
#include "egress/wall.h"
#include "run/findings.h"
#include "run/placement.h"
#include "run/plan.h"
#include "run/protocol.h"
#include "run/stdio.h"
#include "sys/process.h"

namespace jail::run {

// Why a jail was not built: the layer that failed and the kernel's answer in words.
struct BuildFailure {
  std::string layer;
  std::string reason;
  int error = 0;
};

// A child of ours with the socket we share. Killed and reaped when the object goes.
class Worker {
 public:
  Worker() = default;
  Worker(sys::Child child, Fd socket) : child_(std::move(child)), socket_(std::move(socket)) {}
  Worker(Worker&& other) noexcept;
  Worker& operator=(Worker&& other) noexcept;
  ~Worker() { end(); }

  [[nodiscard]] pid_t pid() const { return child_.pid; }  // 0: there is none
  [[nodiscard]] const Fd& pidfd() const { return child_.pidfd; }
  [[nodiscard]] const Fd& socket() const { return socket_; }

  sys::Ended end() noexcept;  // SIGKILL, if it still runs, and reap
  void end_within(int ms) noexcept;  // the same; who waits for a dead file system is left to die by itself
  void end_last() noexcept;   // the same, but whatever child of ours ends before it is reaped, too
  void reaped() noexcept { child_.pid = 0; }
  Fd take_socket() && { return std::move(socket_); }

 private:
  sys::Child child_;
  Fd socket_;
};

// Pid 1 of a jail, alone: the namespaces are being made while the caller goes on. `identity` is only looked at for
// root. In its control group from its first moment, or as soon as jaild has made one.
std::variant<Worker, BuildFailure> start_init(const confine::identity::Plan& identity, Placement& group);

// What the supervisor holds of a jail whose plugin waits for the word to start.
struct Jail {
  Worker init;
  Worker plugin;  // its socket tells of a failed execve
  std::vector<Fd> masters;
};

enum class Proc { Required, MayBeAbsent };

// Forks the builder and brings it and pid 1 together. Bounded in time; a signal that asks to end (supervise.h) ends it.
// `without_proc` receives why there is no /proc, where it may be absent and is.
class Construction {
 public:
  // `group`: has settled. `handover`: where the plugin process leaves its filter's listener; empty: none is made
  // (monitor/listener.h).
  Construction(Worker init, const Plan& plan, const StdioPlan& stdio, StdioEnds& ends, const Placement& group,
               const std::vector<int>& passed, Fd handover = {});
  ~Construction();

  std::variant<Jail, BuildFailure> wait_ready(const Fd& signals, Proc proc);
  [[nodiscard]] pid_t builder() const { return builder_.pid(); }  // 0 as soon as it is done
  [[nodiscard]] const std::string& without_proc() const { return without_proc_; }
  [[nodiscard]] const Findings& findings() const { return findings_; }
  // In the order of the plan's.
  [[nodiscard]] std::vector<Fd> take_doors() { return std::move(doors_); }
  [[nodiscard]] egress::WallSockets take_wall() { return std::move(wall_); }
  // Why the kernel has no wall, where the plan has one.
  [[nodiscard]] const std::string& without_wall() const { return without_wall_; }
  // The jail's user and network namespaces; nothing where the plan has no door that leads into them.
  [[nodiscard]] std::vector<Fd> take_network() { return std::move(network_); }

 private:
  void hear_init(Proc proc);
  void go_on();
  void raise_wall(Received offered);
  void hear_builder();
  [[nodiscard]] BuildFailure too_slow() const;
  [[nodiscard]] bool done() const { return sealed_ && plugin_; }

  Worker init_;
  Worker builder_;
  Fd plugin_;  // pidfd
  std::vector<Fd> masters_;
  bool wants_findings_;
  bool wants_network_;
  const egress::Ruleset* ruleset_;  // null: there is no wall
  bool examines_ = false;  // the builder has the view, and files to read in it
  bool sealed_ = false;
  std::optional<BuildFailure> failure_;
  std::string without_proc_;
  Findings findings_;
  std::vector<Fd> doors_;
  std::vector<Fd> network_;
  egress::WallSockets wall_;
  std::string without_wall_;
};

}  // namespace jail::run
