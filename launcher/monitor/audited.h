// What the kernel's audit tells of Landlock, on its way to the log: with the line of the profile that has granted too
// little, and told once and counted. Called by the thread that reads, and by no other.
#pragma once

#include <functional>

#include "confine/view.h"
#include "event/event.h"
#include "monitor/coalesce.h"
#include "monitor/place.h"

namespace jail::monitor {

class AuditedEvents {
 public:
  // The view lives as long.
  AuditedEvents(const confine::view::Plan& view, std::function<void(const event::Event&)> log);

  void add(event::Event event);
  // What has waited long enough; at the end, all.
  void flush();
  void finish() { events_.flush(~std::uint64_t{0}); }

 private:
  Places places_;
  Coalescer events_;
};

}  // namespace jail::monitor
