// What the helpers of a way out tell (egress/flow.h, egress/lookup.h), as events. Connections that carried nothing and
// what was refused may come by the thousand a second: those that are alike are told once and then counted.
#pragma once

#include <functional>
#include <memory>

#include "base/fd.h"
#include "egress/flow.h"
#include "egress/lookup.h"
#include "egress/plan.h"
#include "event/event.h"
#include "monitor/coalesce.h"
#include "run/destinations.h"

namespace jail::run {

class EgressEvents {
 public:
  using Log = std::function<void(const event::Event&)>;

  // `plan` outlives this.
  EgressEvents(const egress::Plan& plan, std::shared_ptr<Destinations> destinations, Log log);

  void add(const egress::Flow& flow);
  void add(const egress::Lookup& lookup);
  void add(event::Event event);  // of the kernel's wall
  void add(event::Body body);    // as it is

  // Readable once what was counted has waited long enough; then flush().
  [[nodiscard]] const Fd& due() const noexcept { return due_; }
  void flush();
  // Everything that was counted.
  void finish();

  // Bytes by the plugin and to it, of all that has been told.
  struct Carried {
    std::uint64_t sent = 0, received = 0;
  };
  [[nodiscard]] const Carried& carried() const { return carried_; }

 private:
  void add_alike(event::Event event);
  void rearm();
  [[nodiscard]] event::Event event_of(const egress::Flow& flow) const;
  [[nodiscard]] event::Event event_of(const egress::Lookup& lookup) const;
  [[nodiscard]] std::string line_of(std::uint32_t rule) const;

  const egress::Plan& plan_;
  std::shared_ptr<Destinations> destinations_;
  Log log_;
  monitor::Coalescer alike_;
  Carried carried_;
  Fd due_;
};

}  // namespace jail::run
