// Which source of events a run has, what it is to look at, and what it cannot see. Pure.
//
// Seccomp notification needs no privilege: the filter of the plugin has one listener, in the supervisor; denied calls
// are answered by it, watched ones looked at and let go on. eBPF is for those who may: it tells what came about,
// cheaply; each family of events has the source that tells it all for the least, and no attempt is told by two.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "confine/layer.h"
#include "confine/seccomp.h"
#include "monitor/calls.h"
#include "profile/profile.h"
#include "trace/programs.h"

namespace jail::monitor {

enum class Listener { Free, Taken };  // Taken: a jail around this one has the one there can be

struct Support {
  confine::seccomp::Support seccomp;
  Listener listener = Listener::Free;
  std::optional<trace::Support> trace{};  // none: nobody has looked
  bool landlock_records = false;          // the kernel's audit tells us of Landlock
};

enum class Source { None, Notify };
std::string_view name_of(Source source);

// Asked: by its name in the profile, so that a run without it is refused. Chosen: a run goes on without it.
enum class Tracing : std::uint8_t { None, Chosen, Asked };

// What the kernel's audit is for, which tells of Landlock alone, and of a denial neither the whole name nor the call.
// Check: how often it has denied is held against the log. Tell: nobody else tells what was denied.
enum class KernelAudit : std::uint8_t { None, Check, Tell };

struct Plan {
  Source source = Source::None;
  Tracing tracing = Tracing::None;
  KernelAudit audit = KernelAudit::None;
  profile::MonitorFiles files = profile::MonitorFiles::Denied;
  std::vector<trace::Family> traced;     // by eBPF, beside the source
  std::optional<profile::MonitorFiles> addresses{};  // what of these the source tells; none: as of files
  std::uint32_t traced_what = 0;         // of jail_want (bpf/events.h)
  std::uint32_t ring_bytes = 0;          // of eBPF's events
  std::vector<std::string> sources;      // which family of events comes from where, and what that costs others
  std::vector<std::string> blind_spots;  // what the source cannot see
  std::vector<confine::Layer> layers;    // "monitor", or none where nobody wants it
};

// Which families a plan may take, whatever there is: nobody has to look for another.
std::vector<trace::Family> may_take(const profile::Monitor& wanted, profile::NetworkMode network);

bool traces(const Plan& plan, trace::Family family);
// What is allowed and may come in floods.
bool traces_bulk(const Plan& plan);
// What notification need not tell.
Traced shares_of(const Plan& plan);
// Notification tells all. Only of a plan that chose eBPF, which takes nothing out of the filter.
void leave_out_trace(Plan& plan, const std::string& why);

// "ebpf", "ebpf and notify", "notify", "kernel-audit" or "none".
std::string_view source_name(const Plan& plan);

Plan plan(const profile::Monitor& wanted, const confine::seccomp::Plan& filter, const Support& support,
          profile::NetworkMode network = profile::NetworkMode::Isolated);

// What this kernel and this process have. A process under a filter asks a child of its own, which tries.
Support probe();

}  // namespace jail::monitor
