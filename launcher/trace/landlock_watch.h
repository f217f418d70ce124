// What the kernel's audit tells of the Landlock domain of one jail, as it comes: a thread that reads and passes on. It
// listens only; where nobody has switched audit on, there is nothing to be had.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "base/fd.h"
#include "event/event.h"

namespace jail::trace {

struct LandlockSinks {
  std::function<void(const event::Event&)> log;
  std::function<void()> after_reading{};  // now and then
  std::function<void()> at_end{};         // when all is read
};

// What was heard of it in the end.
struct LandlockAccount {
  bool known = false;                       // that there is such a domain
  bool cut = false;                         // the kernel had no room for some records
  std::optional<std::uint64_t> denials{};   // by its own count, which needs no record of each; none: it has not said
};

class LandlockWatching {
 public:
  // Before the builder makes the domain: what comes meanwhile waits in the kernel. Empty: `why`, what is missing. That
  // somebody listens, or may not, is itself a record (AUDIT_EVENT_LISTENER): nobody tries where it is known to be vain.
  static Fd listen(std::string& why);
  // `builder`, `name`: landlock_domain.h. The process has its threads from here on.
  static std::unique_ptr<LandlockWatching> start(Fd records, pid_t builder, std::string name, LandlockSinks sinks);
  ~LandlockWatching();
  LandlockWatching(const LandlockWatching&) = delete;
  LandlockWatching& operator=(const LandlockWatching&) = delete;

  // When nothing of the jail is left, here neither: a descriptor that the plugin has made keeps its domain. Waits a
  // little for the kernel's last word. None: it hangs in the log.
  std::optional<LandlockAccount> finish();

 private:
  struct State;
  explicit LandlockWatching(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
  std::thread thread_;
  bool finished_ = false;
};

}  // namespace jail::trace
