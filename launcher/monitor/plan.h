// Which source of events a run has, what it is to look at, and what it cannot see. Pure.
//
// Seccomp notification needs no privilege: the filter of the plugin has one listener, in the supervisor; denied calls
// are answered by it, watched ones looked at and let go on. eBPF is for those who may: it tells what was allowed,
// cheaply and as it came about; what is denied, by which layer and line, notification alone knows.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "confine/layer.h"
#include "confine/seccomp.h"
#include "profile/profile.h"
#include "trace/programs.h"

namespace jail::monitor {

enum class Listener { Free, Taken };  // Taken: a jail around this one has the one there can be

struct Support {
  confine::seccomp::Support seccomp;
  Listener listener = Listener::Free;
  std::optional<trace::Support> trace{};  // looked at where a profile states it: to look costs as much as to load
};

enum class Source { None, Notify };
std::string_view name_of(Source source);

struct Plan {
  Source source = Source::None;
  profile::MonitorFiles files = profile::MonitorFiles::Denied;
  std::vector<trace::Family> traced;     // by eBPF, beside the source
  std::optional<profile::MonitorFiles> addresses{};  // what of these the source tells; none: as of files
  std::uint32_t traced_what = 0;         // of jail_want (bpf/events.h)
  std::uint32_t ring_bytes = 0;          // of eBPF's events
  std::vector<std::string> sources;      // which family of events comes from where, and what that costs others
  std::vector<std::string> blind_spots;  // what the source cannot see
  std::vector<confine::Layer> layers;    // "monitor", or none where nobody wants it
};

// What of files the source itself tells: eBPF may do the rest.
profile::MonitorFiles told_by_source(const Plan& plan);

// "ebpf", "notify" or "none".
std::string_view source_name(const Plan& plan);

Plan plan(const profile::Monitor& wanted, const confine::seccomp::Plan& filter, const Support& support,
          profile::NetworkMode network = profile::NetworkMode::Isolated);

// What this kernel and this process have. A process under a filter asks a child of its own, which tries.
Support probe();

}  // namespace jail::monitor
