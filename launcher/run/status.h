// --status-fd: what no exit code can say for sure, as JSON Lines on a descriptor of the caller's.
#pragma once

#include <optional>
#include <string>

#include "event/event.h"

namespace jail::run {

class StatusReport {
 public:
  // `number` -1: nobody asked. Throws SysError when the descriptor is not open for writing.
  explicit StatusReport(int number);

  void started(const std::string& run, int plugin_pid) const;  // {"phase":"started","run":...,"pid":...}
  void refused(const std::string& layer, const std::string& reason) const;  // {"phase":"refused",...,"exit_status":125}
  void frozen(const std::string& reason) const;  // {"phase":"frozen","reason":...}; empty: {"phase":"thawed"}
  void ended(const event::RunEnded& record, int exit_status) const;         // {"phase":"ended","outcome":...,...}

 private:
  void write(const std::string& line) const;

  int number_;
};

// On standard error at once, where the run goes on and its messages come at the end: not where nobody reads it.
void say_now(const std::string& message);

}  // namespace jail::run
