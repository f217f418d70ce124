// Limits that the kernel holds and of which it tells nobody: looked at now and then, and what is still there to be seen
// at the end. A limit that was reached and left again between two looks is missed; one that is told was reached.
#pragma once

#include <sys/types.h>

#include <functional>
#include <optional>
#include <set>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "event/event.h"
#include "profile/profile.h"

namespace jail::run {

class Looks {
 public:
  using Log = std::function<void(const event::Event&)>;
  enum class Processes { Here, ByGroup };  // ByGroup: that tells when there are too many

  Looks() = default;
  // The plugin stands before its execve.
  Looks(const profile::Limits& limits, Processes processes, pid_t plugin);

  // While it runs; each limit is logged once.
  void look(const std::vector<pid_t>& processes, const Log& log);
  // What is in /tmp and /dev/shm. When nobody is left to fill it, for the last time.
  void look_at_temporary(const Log& log);

 private:
  void reached(std::string_view which, std::uint64_t value, std::uint64_t limit, const Log& log);
  [[nodiscard]] bool is_told(std::string_view which) const { return told_.contains(which); }
  void look_at_descriptors(const std::vector<pid_t>& processes, const Log& log);

  std::optional<std::uint64_t> pids_;  // none: they are not looked at
  std::uint64_t files_ = 0;
  Fd temporary_;  // empty: it could not be opened
  std::set<std::string_view> told_;
};

}  // namespace jail::run
