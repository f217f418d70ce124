// The eBPF source of one run, from the group that the plugin is started in to the last event. Does nothing where the
// plan asks for none.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "run/build.h"
#include "run/plan.h"
#include "run/trace_access.h"
#include "trace/cgroup.h"
#include "trace/watch.h"

namespace jail::run {

class Tracing {
 public:
  TraceAccess access;  // what planning has loaded, or whom it asked

  // Before the plugin is forked. What can fail here, and in start(), fails the run: a profile has asked by name.
  std::optional<Refusal> make_group(const Plan& plan);
  [[nodiscard]] const Fd* group() const { return group_ ? &group_->folder() : nullptr; }
  [[nodiscard]] std::string group_path() const { return group_ ? group_->path() : ""; }

  // When pid 1 of the jail is there: jaild works while the jail is being built.
  void ask(const Plan& plan, const Worker& init);
  // When the plugin stands before its execve, so that this is the first thing that is seen. Starts a thread.
  std::optional<Refusal> start(const Plan& plan, const Jail& jail, trace::Log log);
  // When nothing of the jail is left. False: the log hangs.
  bool finish();
  [[nodiscard]] std::uint64_t lost() const { return watching_ ? watching_->lost() : 0; }

 private:
  std::unique_ptr<trace::Watching> watch(const Plan& plan, const Jail& jail, trace::Log log, std::string& why);

  std::optional<trace::Cgroup> group_;
  std::unique_ptr<trace::Watching> watching_;
};

}  // namespace jail::run
