// By what a run gets at the kernel's programs: by this process, where it may load them, else by `jaild`; and at what
// the kernel's audit tells.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/fd.h"
#include "broker/client.h"
#include "profile/profile.h"
#include "trace/tracer.h"

namespace jail::run {

struct TraceAccess {
  std::optional<trace::Tracer> own;
  std::optional<broker::Connection> broker;
  std::optional<trace::Support> support;  // none: nobody has looked
  std::string why_not;                    // what stands in the way of a jaild that nobody has asked for by name
  Fd landlock_records;                    // of the kernel's audit; empty: it cannot be had, or is not wanted
  std::string why_no_records;

  // Never fails: what cannot be had is data. `socket`: of jaild.
  static TraceAccess open(const std::string& socket,
                          const std::vector<trace::Family>& families = trace::all_families());
  // For a run, where its profile leaves room for one: nothing where it does not, or where only a profile that asks by
  // name is worth what it costs: programs that cannot be kept, or a jaild that does not answer at once.
  static TraceAccess find(const profile::Profile& profile, const std::string& socket = broker::kSocket);
};

}  // namespace jail::run
