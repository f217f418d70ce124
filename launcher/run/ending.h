// How a run has ended, and what it has used: out of what the supervisor has seen. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "event/event.h"
#include "run/group.h"
#include "run/protocol.h"
#include "sys/process.h"
#include "sys/process_tree.h"

namespace jail::run {

struct Ending {
  event::RunEnded record;
  int exit_status = 0;
};

// Of several causes the first that is here counts.
struct Causes {
  std::optional<std::string> stopped;  // by the operator, and why
  bool timed_out = false;              // limits.time ended the plugin
  std::optional<std::string> breach;   // what it has broken out of
  std::optional<std::string> blinded;  // why it was ended: events were lost
  bool orphaned = false;               // the process that started us ended
  std::optional<Report> exec_failure;  // execve(2) or the filter before it
};

struct Seen {
  Causes causes;
  sys::Ended plugin, init;
  std::string command;  // as asked for: a failed execve names it
  std::uint64_t wall_ms = 0;
  Group::OutOfMemory out_of_memory = Group::OutOfMemory::No;
  event::Counts limits{};  // reached, by the group
  Group::Use use{};        // by the group; what it does not know is
  sys::Use looked{};   // the most that a look has found, or of the plugin's and its children's accounts
};

Ending ending_of(const Seen& seen);

// Processor time.
std::uint64_t cpu_ms(const sys::Ended& process);

}  // namespace jail::run
