// Which source of events a run has, what it is to look at, and what it cannot see. Pure.
//
// One source so far: seccomp notification, which needs no privilege. The filter of the plugin has one listener, in the
// supervisor; denied calls are answered by it, watched ones looked at and let go on.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "confine/layer.h"
#include "confine/seccomp.h"
#include "profile/profile.h"

namespace jail::monitor {

enum class Listener { Free, Taken };  // Taken: a jail around this one has the one there can be

struct Support {
  confine::seccomp::Support seccomp;
  Listener listener = Listener::Free;
};

enum class Source { None, Notify };
std::string_view name_of(Source source);

struct Plan {
  Source source = Source::None;
  profile::MonitorFiles files = profile::MonitorFiles::Denied;
  std::vector<std::string> blind_spots;  // what the source cannot see
  std::vector<confine::Layer> layers;    // "monitor", or none where nobody wants it
};

Plan plan(const profile::Monitor& wanted, const confine::seccomp::Plan& filter, const Support& support);

// What this kernel and this process have. A process under a filter asks a child of its own, which tries.
Support probe();

}  // namespace jail::monitor
