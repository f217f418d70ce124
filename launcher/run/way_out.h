// What stands beside a jail that may speak with others: processes of ours, each of which holds its sockets and nothing
// else: no file, no capability, a filter of its own. One relay leads out of the jail's network, one leads in
// (egress/relay.h), and the resolver answers for the names of the profile (egress/resolver.h). The kernel's own wall is
// kept here (wall_keeper.h).
#pragma once

#include <poll.h>

#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "egress/dns_clients.h"
#include "egress/relay.h"
#include "run/egress_events.h"
#include "run/plan.h"
#include "run/wall_keeper.h"

namespace jail::run {

class WayOut {
 public:
  WayOut() = default;
  WayOut(const WayOut&) = delete;
  WayOut& operator=(const WayOut&) = delete;
  ~WayOut() { end(); }

  // Listens on the host for what leads into the jail: before that is built, for a port may be taken.
  std::optional<Refusal> listen(const Plan& plan);

  // Before the caller has a second thread. `doors`: in the jail's network, as the plan says, and behind them the
  // sockets of its resolver; `network`: its user and network namespaces; `wall`: of the kernel's, empty where there is
  // none. `plan` outlives this. `log` is told by what follows: connections that are over, names that were asked for,
  // what was refused, a helper that has died.
  void start(const Plan& plan, std::vector<Fd> doors, std::vector<Fd> network, egress::WallSockets wall,
             std::shared_ptr<Destinations> destinations, EgressEvents::Log log);
  void add_to(std::vector<pollfd>& polled);
  void handle(const std::vector<pollfd>& polled);

  // The helpers end; what they have told is heard.
  void finish();
  // After that; none: it has none.
  [[nodiscard]] std::optional<EgressEvents::Carried> carried() const;

 private:
  // False: it has gone.
  using Hear = bool (*)(const Fd& told, EgressEvents& events);
  struct Helper {
    std::string_view death;  // what it means that it has gone
    Hear hear;
    Fd process;  // pidfd
    Fd told;
  };
  template <typename Become>
  void start(std::string_view death, Hear hear, Become become);
  void start_out(const Plan& plan, std::vector<Fd> doors, Destinations& destinations);
  void start_in(const Plan& plan, std::vector<Fd> network);
  void end() noexcept;

  std::optional<EgressEvents> events_;  // none: nothing was started
  std::vector<Fd> listeners_;
  std::vector<Helper> helpers_;
  std::size_t due_polled_ = 0;
  WallKeeper keeper_;
  std::size_t first_polled_ = 0;
};

}  // namespace jail::run
