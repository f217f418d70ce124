#include "run/trace_access.h"

#include <linux/capability.h>

#include "monitor/plan.h"
#include "sys/capabilities.h"
#include "trace/landlock_watch.h"

namespace jail::run {
namespace {

bool may_load() {
  return sys::has_capability(CAP_SYS_ADMIN) || (sys::has_capability(CAP_BPF) && sys::has_capability(CAP_PERFMON));
}

}  // namespace

TraceAccess TraceAccess::open(const std::string& socket, const std::vector<trace::Family>& families) {
  TraceAccess access;
  access.landlock_records = trace::LandlockWatching::listen(access.why_no_records);
  if (may_load()) {
    access.own = trace::Tracer::open(families);
    access.support = access.own->support();
    return access;
  }
  std::string why;
  access.broker = broker::Connection::open(socket, broker::Line::Patience::WhileItStarts, why);
  access.support.emplace();
  if (access.broker) access.support = access.broker->support();
  else access.support->missing.fill("needs root, or CAP_BPF and CAP_PERFMON; " + why);
  return access;
}

TraceAccess TraceAccess::find(const profile::Profile& profile, const std::string& socket) {
  using profile::MonitorSource;
  const MonitorSource wanted = profile.monitor.source.value;
  const std::vector<trace::Family> families = monitor::may_take(profile.monitor, profile.network.mode.value);
  if (wanted == MonitorSource::Ebpf) return open(socket, families);
  TraceAccess access;
  if (profile.monitor.files.value != profile::MonitorFiles::None)
    access.landlock_records = trace::LandlockWatching::listen(access.why_no_records);
  if (wanted != MonitorSource::Auto) return access;
  if (may_load()) access.own = trace::Tracer::open_kept(families);
  else access.broker = broker::Connection::open(socket, broker::Line::Patience::AMoment, access.why_not);
  if (access.own) access.support = access.own->support();
  if (access.broker) access.support = access.broker->support();
  return access;
}

}  // namespace jail::run
