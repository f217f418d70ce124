// What eBPF tells, on its way to the log. A call that has failed gets the layer and the line that have refused it; what
// the filter refuses or a hook tells beside notification is left to notification; files and addresses alike are told
// once and counted. Called by the thread that reads the ring, and by no other.
#pragma once

#include <sys/types.h>

#include <functional>
#include <optional>

#include "event/event.h"
#include "monitor/coalesce.h"
#include "monitor/examine.h"
#include "trace/decode.h"

namespace jail::monitor {

class TracedEvents {
 public:
  // What the rules point to lives as long. `plugin`: in its view, before its execve; looked at where files are told of.
  TracedEvents(Rules rules, pid_t plugin, std::function<void(const event::Event&)> log);

  // First of all, by the thread that reads: what takes time.
  void look();
  void add(const event::Event& event);
  void judge(const trace::FileCall& call);
  // What has waited long enough; at the end, all.
  void flush();
  void finish() { events_.flush(~std::uint64_t{0}); }

 private:
  struct Judging {
    explicit Judging(const Rules& rules) : examiner(rules) {}
    Examiner examiner;
    confine::seccomp::Program deny;
  };

  Rules rules_;
  std::optional<Judging> judging_;
  std::function<void(const event::Event&)> log_;
  Coalescer events_;
};

}  // namespace jail::monitor
