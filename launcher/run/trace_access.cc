#include "run/trace_access.h"

#include <linux/capability.h>

#include "sys/capabilities.h"
#include "trace/landlock_watch.h"

namespace jail::run {
namespace {

bool may_load() {
  return sys::has_capability(CAP_SYS_ADMIN) || (sys::has_capability(CAP_BPF) && sys::has_capability(CAP_PERFMON));
}

}  // namespace

TraceAccess TraceAccess::open(const std::string& socket) {
  TraceAccess access;
  access.landlock_records = trace::LandlockWatching::listen(access.why_no_records);
  if (may_load()) {
    access.own = trace::Tracer::open();
    access.support = access.own->support();
    return access;
  }
  std::string why;
  access.broker = broker::Connection::open(socket, why);
  access.support.emplace();
  if (access.broker) access.support = access.broker->support();
  else access.support->missing.fill("needs root, or CAP_BPF and CAP_PERFMON; " + why);
  return access;
}

TraceAccess TraceAccess::find(const profile::Monitor& wanted, const std::string& socket) {
  using profile::MonitorSource;
  if (wanted.source.value == MonitorSource::Ebpf) return open(socket);
  TraceAccess access;
  if (wanted.files.value != profile::MonitorFiles::None)
    access.landlock_records = trace::LandlockWatching::listen(access.why_no_records);
  if (wanted.source.value == MonitorSource::Auto) access.own = trace::Tracer::open_kept();
  if (access.own) access.support = access.own->support();
  return access;
}

}  // namespace jail::run
