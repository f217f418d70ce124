// The relays of one run (egress/relay.h): processes of ours beside the jail, one that leads out of its network and one
// that leads in. Each holds its sockets and nothing else: no file, no capability, a filter of its own.
#pragma once

#include <poll.h>

#include <functional>
#include <optional>
#include <vector>

#include "base/fd.h"
#include "egress/relay.h"
#include "event/event.h"
#include "run/plan.h"

namespace jail::run {

class WayOut {
 public:
  WayOut() = default;
  WayOut(const WayOut&) = delete;
  WayOut& operator=(const WayOut&) = delete;
  ~WayOut() { end(); }

  // Listens on the host for what leads into the jail: before that is built, for a port may be taken.
  std::optional<Refusal> listen(const Plan& plan);

  // Before the caller has a second thread. `doors`: in the jail's network, as the plan says; `network`: its user and
  // network namespaces.
  void start(const Plan& plan, std::vector<Fd> doors, std::vector<Fd> network);

  // What was heard since: flows that are over, a relay that has died (the doors are shut then).
  using Log = std::function<void(const event::Event&)>;
  void add_to(std::vector<pollfd>& polled);
  void handle(const std::vector<pollfd>& polled, const Log& log);

  // The relays end; what they have told is heard.
  void finish(const Log& log);

 private:
  enum class Leads : std::uint8_t { Out, In };
  struct Relay {
    Fd process;  // pidfd
    Fd told;
    Leads leads;
  };
  void start(Leads leads, const Plan& plan, std::vector<egress::Relayed> doors, std::vector<Fd> network);
  static bool hear(const Relay& relay, const Log& log);
  void end() noexcept;

  std::vector<Fd> listeners_;
  std::vector<Relay> relays_;
  std::size_t first_polled_ = 0;
};

}  // namespace jail::run
