// The control group of one run: all processes of the jail are in it, from their first moment on. Holds them to their
// limits, tells when one is reached, and what they have used. Does nothing where there is none to be had.
#pragma once

#include <poll.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "broker/lent_group.h"
#include "confine/limits.h"
#include "event/event.h"
#include "run/io_rate.h"
#include "sys/delegation.h"

namespace jail::run {

class Group {
 public:
  Group() = default;
  Group(const Group&) = delete;
  Group& operator=(const Group&) = delete;
  ~Group();

  using Log = std::function<void(const event::Event&)>;

  // What make() and settle() will come to; nothing is made. `broker`: the socket of jaild. `needed`: of
  // sys::delegation::Controller, what a profile states (confine/limits.h).
  static sys::delegation::Support foresee(const std::string& broker, unsigned needed = 0);

  // Where limits can be held by it, of our own making or lent by jaild; else below our own, where it limits nothing: it
  // tells the jail's processes from others, and freezes and ends them. Before the first process of the jail.
  const sys::delegation::Support& make(const std::string& broker);
  // In it, its first process starts, or in ours (null), from where jaild takes it and then whoever comes after it.
  [[nodiscard]] const Fd* folder() const { return group_ && !lease_ ? &group_->folder() : nullptr; }
  [[nodiscard]] bool is_lent() const { return lease_.has_value(); }
  void ask_for(const Fd& first);
  [[nodiscard]] std::string add(const Fd& process) const;  // empty, or why it is not in it
  // What has come of asking, or another where only that has what is needed: then `empty` has ended the first process,
  // one has to be started anew and this to be called again. False: the group stands.
  bool settle(unsigned needed, const std::function<void()>& empty);
  [[nodiscard]] std::string path() const { return group_ ? group_->path() : ""; }
  [[nodiscard]] const std::string& why_none() const { return why_none_; }

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
  void make_at(sys::delegation::Place place);
  void stand_at(sys::delegation::Place place);
  void make_bare();
  bool borrow(unsigned needed);
  bool has_more(const sys::delegation::Place& found, unsigned needed);
  bool take();
  void let_go();
  void reached(std::string_view which, std::uint64_t times, std::uint64_t limit, const Log& log);
  void look_at_memory(const Log& log);
  void look_at_pids(const Log& log);
  void look_at_cpu(const Log& log);
  void look_at_io(const Log& log);
  void give_on_demand(std::vector<Failure>& failures);

  sys::delegation::Place place_;
  confine::limits::OfGroup limits_;
  Fd memory_events_, pids_events_;
  std::optional<IoRate> io_rate_;
  std::uint64_t io_times_ = 0;  // looks that have found limits.io met
  std::size_t first_ = 0;  // of ours among what is polled
  std::map<std::string_view, std::uint64_t> reached_;
  std::string broker_, why_not_ours_;
  bool asked_elsewhere_ = false;  // for what a profile states
  std::optional<broker::GroupLease> lease_;
  std::unique_ptr<sys::HeldGroup> group_;  // null while jaild makes it
  std::string why_none_;
};

}  // namespace jail::run
