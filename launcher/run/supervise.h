// Watches one jail until nothing of it is left: forwards signals, keeps the wall clock, passes stdio on, notices the
// end of the plugin and of the process that started us. Nothing in the loop blocks (SECURITY B5).
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "base/fd.h"
#include "event/event.h"
#include "monitor/loss.h"
#include "registry/control_socket.h"
#include "run/build.h"
#include "run/ending.h"
#include "run/group.h"
#include "run/guard.h"
#include "run/stdio.h"
#include "run/way_out.h"

namespace jail::run {

// The signals of a supervisor, blocked and readable from here on.
Fd open_signals();

struct Watch {
  std::optional<std::uint64_t> time_ms;
  std::uint64_t grace_ms = 0;
  std::string command;         // as asked for: a failed execve names it
  const Fd* parent = nullptr;  // pidfd of the process that started us; null: there is none to outlive
  WayOut* way_out = nullptr;   // null: none
  Guard* guard = nullptr;      // settled; null: nothing to guard
  Group* group = nullptr;      // null: none
  const profile::Limits* limits = nullptr;  // to tell which was reached
  std::function<void()> after_a_moment = [] {};  // what the shortest runs are spared, of 10 ms
  std::function<void()> after_a_second = [] {};  // what a short run is spared
  // From then on, as long as the plugin runs: its processes, with pid 1.
  std::function<void(const std::vector<pid_t>& processes)> now_and_then = [](const auto&) {};
  monitor::Loss* loss = nullptr;                 // null: nothing to end or to stop the jail for
  std::function<void(const std::string& why)> say_frozen = [](const std::string&) {};  // empty: it goes on again
  std::function<void()> while_frozen = [] {};  // again and again
  registry::ControlSocket* control = nullptr;  // null: the operator has no hand on it
  registry::ControlSocket::Look about_run = [] { return registry::Status{}; };  // less what the jail itself tells
  std::function<void(const event::Event&)> log = [](const event::Event&) {};    // of what the operator does
};

// After the plugin was told to proceed. Returns when every process of the jail is gone.
Ending supervise(Jail& jail, StdioProxy& stdio, const Fd& signals, const Watch& watch);

// Reads what is pending and returns the first signal that asks to end, if any: for the time before the plugin exists.
std::optional<int> pending_signal(const Fd& signals);

}  // namespace jail::run
