// The eBPF source of one run, from the group that the plugin is started in to the last event. Does nothing where the
// plan asks for none.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "monitor/examine.h"
#include "run/build.h"
#include "run/group.h"
#include "run/plan.h"
#include "run/trace_access.h"
#include "trace/ring.h"
#include "trace/watch.h"

namespace jail::run {

class Tracing {
 public:
  TraceAccess access;  // what planning has loaded, or whom it asked

  // Before the plugin is forked. What fails here, and in start(), is a refusal where a profile has asked by name; a
  // plan that has chosen goes on without.
  std::optional<Refusal> make_group(Plan& plan, Group& group);

  // As soon as pid 1 of the jail is there: it takes some time, here or in jaild, in which the jail is built.
  std::optional<Refusal> make_ring(Plan& plan, const Worker& init);

  // When the plugin stands before its execve, so that this is the first thing that is seen. Starts a thread.
  std::optional<Refusal> start(Plan& plan, const monitor::Rules& rules, pid_t plugin, trace::Log log);
  // When nothing of the jail is left. False: the log hangs.
  bool finish();
  [[nodiscard]] std::uint64_t lost() const { return watching_ ? watching_->lost() : 0; }

 private:
  std::unique_ptr<trace::Watching> watch(const monitor::Plan& plan, pid_t plugin, trace::Sinks sinks, std::string& why);

  const Fd* group_ = nullptr;
  std::unique_ptr<trace::RunRing> ring_;
  std::unique_ptr<trace::Watching> watching_;
};

}  // namespace jail::run
