// The kernel's audit beside one run: what Landlock has denied, told where nobody else tells it, and counted in any
// case. Does nothing where the plan does not ask it.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>

#include "audit/log.h"
#include "base/fd.h"
#include "event/event.h"
#include "run/plan.h"
#include "trace/landlock_watch.h"

namespace jail::run {

class Auditing {
 public:
  // By which the builder's domain is known; empty: it need not be.
  static std::string name_for(const Plan& plan);

  // When the builder is done. `builder`: its number then. Starts a thread; the plan outlives this.
  void start(const Plan& plan, pid_t builder, Fd records, std::shared_ptr<audit::Log> log);

  struct Account {
    event::Counts counts{};  // of RunEnded
    std::uint64_t untold = 0;  // denied, and not in the log as such
  };
  // When nothing of the jail is left and all that others tell is in the log. Tells there what differs.
  Account finish(audit::Log& log);

 private:
  std::unique_ptr<trace::LandlockWatching> watching_;
  std::string source_;
};

}  // namespace jail::run
