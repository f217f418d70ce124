// The notification source at work: one thread that owns the plugin's listener, answers every call and passes on what is
// worth a record. A thread of its own, because reading a plugin's memory and writing to a sink may both wait for a file
// system that does not answer, and the wall clock, signals and the end of a run must not (SECURITY B5). Nobody else has
// the listener (B3): with this process it closes, and every notified call fails with ENOSYS.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "base/fd.h"
#include "event/event.h"
#include "monitor/examine.h"
#include "monitor/loss.h"

namespace jail::monitor {

// What goes wrong with the source is passed on as an event as well.
using Log = std::function<void(const event::Event&)>;

// As many descriptors as the thread holds at a time, taken while a run can still be refused: a plugin whose listener
// cannot be had waits in its first call for ever. Throws SysError.
std::vector<Fd> reserve_descriptors();

struct Start {
  Rules rules;  // what it points to lives as long as the thread
  Fd handover;  // where the plugin process says which of its descriptors are for us
  Fd plugin;    // pidfd
  pid_t pid = 0;
  std::vector<Fd> reserved;  // given up when the thread begins
  Log log;      // called by the thread alone, and by nobody after finish()
  // Called as log is, before the call goes on, told or not: net.connect or net.send to one of Rules::ports_abroad, with
  // who it was. May be empty.
  Log leads_out{};
  std::shared_ptr<Loss> loss;                  // never null
  std::function<bool()> log_takes_records{};  // called as log is
};

class Listening {
 public:
  // The thread runs from here on: it waits for the listener while the plugin process installs its filter.
  explicit Listening(Start start);
  ~Listening();
  Listening(const Listening&) = delete;
  Listening& operator=(const Listening&) = delete;

  enum class End { Clean, Stuck };
  // When nothing of the jail is left: what waits is passed on, the thread ends. Stuck: it hangs in a file system; the
  // process can end all the same.
  End finish();

  // While the jail is held: whoever waits for a call looks whether it may go on.
  void look_up();

  [[nodiscard]] std::uint64_t lost() const;  // names and addresses that could not be read

 private:
  struct State;
  std::shared_ptr<State> state_;
  std::thread thread_;
  std::optional<End> end_;
};

// The other end of `Start::handover`, in the plugin process, past its filter: one raw call.
// `socket_diag`: of its network namespace, sys/socket_diag.h; -1: there is none.
void hand_over(int handover, int listener_or_error, int socket_diag) noexcept;

}  // namespace jail::monitor
