#include "run/trace_access.h"

#include <linux/capability.h>

#include "sys/capabilities.h"

namespace jail::run {
namespace {

bool may_load() {
  return sys::has_capability(CAP_SYS_ADMIN) || (sys::has_capability(CAP_BPF) && sys::has_capability(CAP_PERFMON));
}

}  // namespace

TraceAccess TraceAccess::open(const std::string& socket, Keep keep) {
  TraceAccess access;
  if (may_load()) {
    access.own = keep == Keep::Programs ? trace::Tracer::open() : trace::Tracer::open_own();
    access.support = access.own->support();
    return access;
  }
  std::string why;
  access.broker = broker::Connection::open(socket, why);
  if (access.broker) access.support = access.broker->support();
  else access.support.missing.fill("needs root, or CAP_BPF and CAP_PERFMON; " + why);
  return access;
}

}  // namespace jail::run
