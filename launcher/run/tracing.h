// The eBPF source of one run, from the group that the plugin is started in to the last event. Does nothing where the
// plan asks for none.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "monitor/examine.h"
#include "profile/profile.h"
#include "run/plan.h"
#include "trace/cgroup.h"
#include "trace/tracer.h"
#include "trace/watch.h"

namespace jail::run {

// A tracer for this run, where its profile leaves room for one: none where it does not, or where only a profile that
// asks by name is worth what it costs. The one place that knows where tracers come from.
std::optional<trace::Tracer> find_tracer(const profile::Monitor& wanted);

class Tracing {
 public:
  std::optional<trace::Tracer> tracer;  // what planning has found

  // Before the plugin is forked. What fails here, and in start(), is a refusal where a profile has asked by name; a
  // plan that has chosen goes on without.
  std::optional<Refusal> make_group(Plan& plan);
  [[nodiscard]] const Fd* group() const { return group_ ? &group_->folder() : nullptr; }
  [[nodiscard]] std::string group_path() const { return group_ ? group_->path() : ""; }

  // As soon as pid 1 of the jail is there: it takes some time, in which the jail is built.
  std::optional<Refusal> make_ring(Plan& plan, pid_t init);

  // When the plugin stands before its execve, so that this is the first thing that is seen. Starts a thread.
  std::optional<Refusal> start(Plan& plan, const monitor::Rules& rules, pid_t plugin, trace::Log log);
  // When nothing of the jail is left. False: the log hangs.
  bool finish();
  [[nodiscard]] std::uint64_t lost() const { return watching_ ? watching_->lost() : 0; }

 private:
  std::optional<trace::Cgroup> group_;
  std::shared_ptr<trace::RunRing> ring_;
  std::unique_ptr<trace::Watching> watching_;
};

}  // namespace jail::run
