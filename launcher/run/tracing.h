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
#include "run/placement.h"
#include "run/plan.h"
#include "run/trace_access.h"
#include "trace/watch.h"

namespace jail::run {

class Tracing {
 public:
  TraceAccess access;  // what planning has loaded, or whom it asked

  // Before the plugin is forked. What fails here, and in start(), is a refusal where a profile has asked by name; a
  // plan that has chosen goes on without.
  std::optional<Refusal> take_group(Plan& plan, const Placement& group);

  // As soon as pid 1 of the jail is there: jaild makes a ring while the jail is built.
  void ask(const Plan& plan, const Worker& init);
  // The same by ourselves, and attached, which takes some time: while we would wait for the builder. `init`: not reaped
  // yet.
  std::optional<Refusal> make_ready(Plan& plan, pid_t init);

  // When the plugin stands before its execve, so that this is the first thing that is seen.
  std::optional<Refusal> start(Plan& plan, const monitor::Rules& rules, pid_t plugin, trace::Log log);
  // When the plugin was told to proceed, which need not wait for a thread to start. That of a plan whose events do not
  // come in floods need not start before a moment has passed.
  enum class Since { Start, Moment };
  void read_along(Since since, const Worker& init);
  // When nothing of the jail is left. False: the log hangs.
  bool finish();
  [[nodiscard]] std::uint64_t lost() const { return watching_ ? watching_->lost() : 0; }

 private:
  std::unique_ptr<trace::Feed> take_feed(const monitor::Plan& plan, pid_t init, std::string& why);
  std::optional<Refusal> map(Plan& plan, pid_t init);

  const Fd* group_ = nullptr;
  bool in_floods_ = false;
  std::unique_ptr<trace::Watching> watching_;
};

}  // namespace jail::run
