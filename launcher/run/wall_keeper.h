// Stands between the resolver and the relay: an address is opened in the kernel's wall by the supervisor alone, who
// checks by a table of its own what the resolver asks for (SECURITY F1). And hears what the wall has refused; how much
// of it nobody heard is looked at while anything is refused, and told.
#pragma once

#include <poll.h>

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "base/fd.h"
#include "egress/names.h"
#include "egress/opening.h"
#include "egress/policy.h"
#include "egress/wall.h"
#include "event/event.h"
#include "run/destinations.h"
#include "run/plan.h"

namespace jail::run {

class WallKeeper {
 public:
  using Log = std::function<void(const event::Event&)>;

  WallKeeper() = default;
  // Without a wall (`sockets` empty) it keeps nothing. `plan` outlives this.
  WallKeeper(const Plan& plan, egress::WallSockets sockets, std::shared_ptr<Destinations> destinations);

  [[nodiscard]] bool keeps() const noexcept { return wall_.stands(); }

  // Where names are opened; those of the host's own list (`listed`) at once.
  struct Listed {
    egress::Rule rule = 0;
    egress::Address address;
  };
  void stand_between(Fd resolver, Fd relay, egress::Policy policy, const std::vector<Listed>& listed);

  static constexpr std::size_t kPolled = 4;
  void add_to(std::vector<pollfd>& polled) const;
  // `polled`: those kPolled.
  void handle(const pollfd* polled, const Log& log);
  // What is left to be told.
  void finish(const Log& log) { (void)look(log, ~std::uint64_t{0}); }

 private:
  void hear_resolver(const Log& log);
  void hear_relay();
  // Of what is refused, whether a resolver of ours may have asked for it all the same.
  bool is_honest(const egress::Opening& opening);
  bool open(egress::Rule rule, const egress::Address& address, std::uint32_t ttl_s);
  void answer(egress::Opening opening, egress::Opening::Verdict verdict) const;
  void hear_refusals(const Log& log);
  // Whether anything was refused since the last look. Of who asked before `before_ns` what is lost is foretold.
  bool look(const Log& log, std::uint64_t before_ns);
  void tell_lost(std::uint64_t count, const Log& log, std::uint64_t before_ns);
  void look_in(int seconds);

  const Plan* plan_ = nullptr;
  egress::Wall wall_;
  std::shared_ptr<Destinations> destinations_;
  std::optional<egress::Policy> policy_;
  Fd due_;  // for the next look; empty without a wall
  bool is_due_ = false;
  Fd resolver_;
  Fd relay_;
  std::deque<egress::Opening> asked_;  // of the relay, in turn
};

}  // namespace jail::run
