// The control group of one run: holds all processes of the jail to their limits, tells when one is reached, and what
// they have used. Does nothing where there is none to be had (placement.h).
#pragma once

#include <poll.h>

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "confine/limits.h"
#include "event/event.h"
#include "run/io_rate.h"
#include "run/placement.h"

namespace jail::run {

class Group {
 public:
  using Log = std::function<void(const event::Event&)>;

  [[nodiscard]] Placement& placement() { return placement_; }
  [[nodiscard]] const Placement& placement() const { return placement_; }
  [[nodiscard]] std::string path() const { return group() != nullptr ? group()->path() : ""; }

  // The limits, written and read again. Once the jail is built, which takes a process more than it is allowed; nothing
  // of the plugin runs yet. The layers that do not hold, and why.
  struct Failure {
    std::string_view layer;
    std::string reason;
  };
  std::vector<Failure> hold(const confine::limits::OfGroup& limits);

  // All of it, pid 1 too, which SIGKILL still ends. False: there is no group, or its kernel cannot.
  [[nodiscard]] bool freeze() const;
  void thaw() const;
  // Everybody at once (Linux 5.14).
  void kill() const noexcept;

  // While it runs. Each limit is logged when it is reached for the first time.
  void add_to(std::vector<pollfd>& polled);
  void handle(const std::vector<pollfd>& polled, const Log& log);
  void look(const Log& log);  // at all of it, also at what nobody is woken for

  // Whoever is to end needs the processor for it, however little of it is left to the jail, and what it waits for of a
  // disk: no signal ends that.
  void let_end() const noexcept;

  [[nodiscard]] event::Counts reached() const;  // how often, by name
  enum class OutOfMemory { No, Own, Others };   // Others: the machine's, or that of a group above
  [[nodiscard]] OutOfMemory out_of_memory() const;

  struct Use {
    std::optional<std::uint64_t> user_ms, system_ms, throttled_ms;
    std::optional<std::uint64_t> memory, memory_peak;        // bytes
    std::optional<std::uint64_t> processes, processes_peak;  // with threads, without pid 1
    std::optional<std::uint64_t> read, written;              // bytes, of all devices
  };
  [[nodiscard]] Use use() const;
  // Whether it counts all of what the processes use that somebody else can look at.
  [[nodiscard]] bool counts_use() const;

 private:
  [[nodiscard]] const sys::HeldGroup* group() const { return placement_.held(); }
  void reached(std::string_view which, std::uint64_t times, std::uint64_t limit, const Log& log);
  void look_at_memory(const Log& log);
  void look_at_pids(const Log& log);
  void look_at_cpu(const Log& log);
  void look_at_io(const Log& log);
  void give_on_demand(std::vector<Failure>& failures);

  Placement placement_;
  confine::limits::OfGroup limits_;
  Fd memory_events_, pids_events_;
  std::optional<IoRate> io_rate_;
  std::uint64_t io_times_ = 0;  // looks that have found limits.io met
  std::size_t first_ = 0;  // of ours among what is polled
  std::map<std::string_view, std::uint64_t> reached_;
};

}  // namespace jail::run
