// What shall be watched, by a source that can.
#include "profile/choices.h"
#include "profile/glob.h"
#include "profile/quoted.h"
#include "profile/rules.h"

namespace jail::profile {
namespace {

// Without a source there are no events for these keys to speak of.
void check_without_source(Case& now) {
  const Monitor& monitor = now.profile.monitor;
  const Place none = monitor.source.stated.value_or(now.profile.place);
  const auto refuse = [&](const Place& place, const std::string& what) {
    now.error(place, what + " needs a source of events, and there is none: " + see("source: none", none),
              "leave one of the two out");
  };
  if (monitor.files.stated && monitor.files.value != MonitorFiles::None)
    refuse(*monitor.files.stated, "monitor.files: " + std::string(name_of(kMonitorFiles, monitor.files.value)));
  if (monitor.on_loss.stated && monitor.on_loss.value != OnLoss::Count)
    refuse(*monitor.on_loss.stated, "monitor.on_loss: " + std::string(name_of(kOnLoss, monitor.on_loss.value)));
  if (monitor.ring.stated) refuse(*monitor.ring.stated, "monitor.ring");
}

void check_hash(Case& now, const HashPattern& pattern) {
  const Glob glob = parse_glob(pattern.glob);
  if (!is_reachable(now, glob.root))
    return now.error(pattern.place, quoted(glob.root) + " is not granted: its files are read inside the jail",
                     "grant it under filesystem.read");
  const std::string& refused = now.fact(glob.root).refused;
  if (!refused.empty()) now.error(pattern.place, quoted(glob.root) + ": " + refused);
}

}  // namespace

void check_monitor(Case& now) {
  const Monitor& monitor = now.profile.monitor;
  const Setting<Durable>& durable = now.profile.audit.durable;
  for (const HashPattern& pattern : monitor.hash) check_hash(now, pattern);
  if (monitor.source.value == MonitorSource::None) check_without_source(now);
  if (durable.value == Durable::Each && monitor.source.value == MonitorSource::Ebpf)
    now.error(durable.stated.value_or(now.profile.place),
              "audit.durable: each cannot be kept with " +
                  see("source: ebpf", monitor.source.stated.value_or(now.profile.place)),
              "its ring is asynchronous: use source: notify or auto");
}

}  // namespace jail::profile
