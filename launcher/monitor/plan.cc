#include "monitor/plan.h"

#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>

#include "bpf/events.h"
#include "event/event.h"
#include "profile/choices.h"
#include "sys/process.h"
#include "sys/seccomp.h"

namespace jail::monitor {
namespace {

using confine::Layer;
using confine::LayerState;
using profile::MonitorFiles;
using profile::MonitorSource;

constexpr std::string_view kNotLogged = "what the filter denies is denied, not logged";

constexpr const char* kAllButLandlock = "everything but what Landlock denies";
constexpr const char* kUnixSockets = "allowed connections to unix sockets";
constexpr const char* kRings = "files that an io_uring opens or changes";
constexpr const char* kPowers = "power that the filter lets be asked for, and the kernel does not give";
constexpr const char* kOwnModes = "files that their own mode or owner denies";
constexpr const char* kOwnLinks = "where /proc/self led to a file in vain, of a process that has ended meanwhile";
constexpr const char* kNamedLooks = "looks at a name beside AT_EMPTY_PATH: only files: all asks for them";

const std::vector<std::string>& blind_spots() {
  static const std::vector<std::string> spots{
      "reads and writes of what is open already: the opening is told, and what was open at the start",
      "who repeats what was told: repeats are counted, with the last of those who did it",
      "names in memory that nobody may read, or that a network or user's file system has not brought in yet: said as "
      "path_unknown",
      "calls that a filter of the plugin's own refuses first",
      "what a name is changed to by another thread between the look at it and the kernel's own",
  };
  return spots;
}

// The first line of the profile that wants more than there is.
std::optional<profile::Place> asked_by(const profile::Monitor& wanted) {
  const bool source = wanted.source.value == MonitorSource::Notify || wanted.source.value == MonitorSource::Ebpf;
  if (source && wanted.source.stated) return wanted.source.stated;
  if (wanted.on_loss.stated && wanted.on_loss.value != profile::OnLoss::Count) return wanted.on_loss.stated;
  if (wanted.files.stated && wanted.files.value != MonitorFiles::None) return wanted.files.stated;
  return std::nullopt;
}

Layer absent(std::string reason, std::optional<profile::Place> asked) {
  return {.name = "monitor", .state = LayerState::Absent, .reason = std::move(reason), .asked_by = std::move(asked)};
}

bool is_traced(const profile::Monitor& wanted) { return wanted.source.value == MonitorSource::Ebpf; }

bool is_of_files(trace::Family family) {
  return family == trace::Family::FileExit || family == trace::Family::FileHooks;
}

bool may_be_traced(const profile::Monitor& wanted) {
  return is_traced(wanted) || wanted.source.value == MonitorSource::Auto;
}

bool reaches_files(const profile::Monitor& wanted) {
  return wanted.files.value == MonitorFiles::Changes || wanted.files.value == MonitorFiles::All;
}

// What is asked for in a ring is no call of its own.
bool may_use_ring(const confine::seccomp::Plan& filter) {
  return filter.rules[SYS_io_uring_setup].otherwise == confine::seccomp::kAllow;
}

// Asked for by name, it is the end of each call, which knows also what was denied: then no call is in anybody's way but
// every process of the machine pays for it. Chosen by ourselves, it is only what nobody else pays for. Only hooks see
// what an io_uring does.
std::optional<trace::Family> files_family(const profile::Monitor& wanted, const trace::Support& support,
                                          const confine::seccomp::Plan& filter) {
  const bool hooks = support.has(trace::Family::FileHooks) && reaches_files(wanted);
  if (!is_traced(wanted)) return hooks ? std::optional(trace::Family::FileHooks) : std::nullopt;
  if (wanted.files.value == MonitorFiles::None) return std::nullopt;
  const bool exits = support.has(trace::Family::FileExit) && !may_use_ring(filter);
  return hooks && !exits ? trace::Family::FileHooks : trace::Family::FileExit;
}

// What a run that asks by name is not refused for.
bool may_lack(const profile::Monitor& wanted, trace::Family family) {
  return !is_traced(wanted) || family == trace::Family::NetworkUnix || family == trace::Family::Privilege;
}

std::vector<trace::Family> families(const profile::Monitor& wanted, const trace::Support& support,
                                    const confine::seccomp::Plan& filter, profile::NetworkMode network) {
  std::vector<trace::Family> all = may_take(wanted, network);
  const std::optional<trace::Family> files = files_family(wanted, support, filter);
  std::erase_if(all, [&](trace::Family family) {
    return (is_of_files(family) && family != files) || (!support.has(family) && may_lack(wanted, family));
  });
  return all;
}

std::optional<Layer> without_trace(const profile::Monitor& wanted, const confine::seccomp::Plan& filter,
                                   const Support& support, profile::NetworkMode network) {
  if (!is_traced(wanted)) return std::nullopt;
  if (!support.trace) return absent("eBPF was not looked at", wanted.source.stated);
  for (const trace::Family family : families(wanted, *support.trace, filter, network))
    if (const std::string& why = support.trace->why_not(family); !why.empty())
      return absent("no eBPF programs (" + std::string(trace::name_of(family)) + "): " + why, wanted.source.stated);
  return std::nullopt;
}

std::string files_source(const Plan& plan) {
  if (plan.files == MonitorFiles::None) return "files: nobody";
  switch (shares_of(plan).files) {
    case Traced::Files::None: return "files: notify";
    case Traced::Files::Reached:
      return "files that are reached: ebpf, by the hooks of the security modules; denied or only looked at: notify";
    case Traced::Files::AtExit:
      return "files: ebpf, by the end of each system call: every process of this machine pays for it, 0.1 to 0.3 us a "
             "call; code that is mapped: notify";
  }
  return {};
}

std::vector<std::string> sources_of(const Plan& plan) {
  const bool programs = traces(plan, trace::Family::Process), network = traces(plan, trace::Family::Network);
  std::vector<std::string> all{
      programs ? "programs started, and processes that end: ebpf; programs denied: notify" : "programs started: notify",
      network ? "Internet addresses spoken with, and how much: ebpf; denied: notify" : "addresses spoken with: notify",
      files_source(plan), "calls that the filter denies, and powers asked for: notify"};
  if (traces(plan, trace::Family::NetworkUnix)) all.emplace_back("unix sockets connected to: ebpf; denied: notify");
  if (traces(plan, trace::Family::Privilege)) all.emplace_back("power that the kernel itself does not give: ebpf");
  return all;
}

std::string audit_source(const Plan& plan) {
  return plan.audit == KernelAudit::Tell ? "what Landlock denies: kernel-audit"
                                         : "how often Landlock denies: counted by kernel-audit, too";
}

// Where files are left alone, most of what it tells is not wanted.
void add_audit(const Support& support, Plan& plan) {
  if (!support.landlock_records || plan.files == MonitorFiles::None) return;
  plan.audit = plan.source == Source::None ? KernelAudit::Tell : KernelAudit::Check;
  plan.sources.push_back(audit_source(plan));
  if (plan.audit == KernelAudit::Tell) plan.blind_spots.emplace_back(kAllButLandlock);
}

std::uint32_t traced_what(const Plan& plan) {
  std::uint32_t what = 0;
  if (traces(plan, trace::Family::Process)) what |= JAIL_WANT_PROCESS;
  if (traces(plan, trace::Family::Network) || traces(plan, trace::Family::NetworkUnix)) what |= JAIL_WANT_NETWORK;
  if (traces(plan, trace::Family::Privilege)) what |= JAIL_WANT_PRIVILEGE;
  const Traced::Files files = shares_of(plan).files;
  if (files == Traced::Files::AtExit) what |= JAIL_WANT_FAILED;
  if (files == Traced::Files::None || plan.files == MonitorFiles::Denied) return what;
  what |= JAIL_WANT_CHANGES;
  return plan.files == MonitorFiles::All ? what | JAIL_WANT_READS | JAIL_WANT_LOOKS : what;
}

// Of what was denied, and what starts and ends, there are no floods; and each page of a ring costs time at the start.
std::uint32_t ring_bytes(const profile::Monitor& wanted, const Plan& plan) {
  const auto bytes = static_cast<std::uint32_t>(wanted.ring.value);
  return traces_bulk(plan) || wanted.ring.stated ? bytes : bytes / 4;
}

void add_trace(const profile::Monitor& wanted, const trace::Support& support, const confine::seccomp::Plan& filter,
               profile::NetworkMode network, Plan& plan) {
  plan.traced = families(wanted, support, filter, network);
  if (plan.traced.empty()) return;
  const bool hosts = traces(plan, trace::Family::Network);
  plan.tracing = is_traced(wanted) ? Tracing::Asked : Tracing::Chosen;
  plan.traced_what = traced_what(plan);
  plan.ring_bytes = ring_bytes(wanted, plan);
  plan.addresses = hosts ? MonitorFiles::Denied : MonitorFiles::All;
  plan.sources = sources_of(plan);
  if (hosts && !traces(plan, trace::Family::NetworkUnix)) plan.blind_spots.emplace_back(kUnixSockets);
}

// By write(2) the plugin process hands its listener over, past the filter.
bool may_write(const confine::seccomp::Plan& filter) {
  const confine::seccomp::Rule& rule = filter.rules[SYS_write];
  return rule.otherwise == confine::seccomp::kAllow && rule.clauses.empty();
}

std::optional<Layer> without_listener(const profile::Monitor& wanted, const confine::seccomp::Plan& filter,
                                      const Support& support) {
  const auto missing = [&](std::string_view why) {
    return absent(std::string(why).append(": ").append(kNotLogged), asked_by(wanted));
  };
  if (!support.seccomp.notify) return missing("this kernel has no seccomp notification (Linux 5.0)");
  if (support.listener == Listener::Taken) return missing("a jail around this one has the only listener");
  if (!may_write(filter)) return missing("the profile denies write, by which the listener is handed over");
  return std::nullopt;
}

Layer notify_layer(const profile::Monitor& wanted, const Support& support) {
  Layer layer{.name = "monitor", .state = LayerState::Enforced, .reason = {}, .asked_by = asked_by(wanted)};
  if (support.seccomp.wait_killable) return layer;
  layer.state = LayerState::Partial;
  layer.reason = "before Linux 5.19 a signal repeats the call it interrupts: a timer can keep one from ending";
  return layer;
}

// Whether there is room for a listener under the filters that hold for us already: a child tries, since it cannot be
// taken back.
Listener try_listener() {
  const std::array<sock_filter, 1> all_allowed{sock_filter{BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW}};
  const sys::Child child = sys::fork_into(0);
  if (child.pid == 0) {
    sys::set_no_new_privileges();
    ::_exit(confine::seccomp::enforce(all_allowed, SECCOMP_FILTER_FLAG_NEW_LISTENER) == -EBUSY ? 1 : 0);
  }
  const int status = sys::reap(child.pid).status;
  return WIFEXITED(status) && WEXITSTATUS(status) == 1 ? Listener::Taken : Listener::Free;
}

}  // namespace

// In a network of the jail's own notification is in the way of every address anyway, and knows who is not there. Power
// that is not given is told by a program at every look at a capability, which every process of the machine causes,
// with each mmap(2), too: so only where eBPF is asked for by name.
std::vector<trace::Family> may_take(const profile::Monitor& wanted, profile::NetworkMode network) {
  using trace::Family;
  std::vector<Family> all{Family::Process};
  if (network == profile::NetworkMode::Host)
    for (const Family family : {Family::Network, Family::NetworkUnix}) all.push_back(family);
  if (is_traced(wanted)) all.push_back(Family::Privilege);
  if (is_traced(wanted) && wanted.files.value != MonitorFiles::None) all.push_back(Family::FileExit);
  if (reaches_files(wanted)) all.push_back(Family::FileHooks);
  return all;
}

bool traces(const Plan& plan, trace::Family family) {
  return std::ranges::find(plan.traced, family) != plan.traced.end();
}

bool traces_bulk(const Plan& plan) {
  return (plan.traced_what & (JAIL_WANT_CHANGES | JAIL_WANT_READS | JAIL_WANT_LOOKS)) != 0;
}

Traced shares_of(const Plan& plan) {
  using Files = Traced::Files;
  return {.programs = traces(plan, trace::Family::Process),
          .files = traces(plan, trace::Family::FileExit)    ? Files::AtExit
                   : traces(plan, trace::Family::FileHooks) ? Files::Reached
                                                            : Files::None};
}

void leave_out_trace(Plan& plan, const std::string& why) {
  plan.traced.clear();
  plan.tracing = Tracing::None;
  plan.traced_what = 0;
  plan.addresses.reset();
  plan.sources = sources_of(plan);
  plan.sources.push_back("no ebpf: " + why);
  if (plan.audit != KernelAudit::None) plan.sources.push_back(audit_source(plan));
  std::erase(plan.blind_spots, kUnixSockets);
}

std::string_view name_of(Source source) { return source == Source::Notify ? "notify" : "none"; }

std::string_view source_name(const Plan& plan) {
  if (plan.audit == KernelAudit::Tell) return event::name_of(event::Source::KernelAudit);
  if (plan.tracing == Tracing::Chosen) return "ebpf and notify";
  return plan.tracing == Tracing::Asked ? "ebpf" : name_of(plan.source);
}

namespace {

Plan plan_calls(const profile::Monitor& wanted, const confine::seccomp::Plan& filter, const Support& support,
                profile::NetworkMode network) {
  Plan plan;
  plan.files = wanted.files.value;
  if (wanted.source.stated && wanted.source.value == MonitorSource::None) return plan;
  std::optional<Layer> why_not = without_trace(wanted, filter, support, network);
  if (!why_not) why_not = without_listener(wanted, filter, support);
  plan.layers.push_back(why_not ? *why_not : notify_layer(wanted, support));
  if (why_not) return plan;
  plan.source = Source::Notify;
  plan.blind_spots = blind_spots();
  if (support.trace && may_be_traced(wanted)) add_trace(wanted, *support.trace, filter, network, plan);
  if (may_use_ring(filter) && !traces(plan, trace::Family::FileHooks)) plan.blind_spots.emplace_back(kRings);
  if (!traces(plan, trace::Family::Privilege)) plan.blind_spots.emplace_back(kPowers);
  if (shares_of(plan).files == Traced::Files::AtExit) {
    plan.blind_spots.emplace_back(kOwnLinks);
  } else {
    plan.blind_spots.emplace_back(kOwnModes);
    if (plan.files != MonitorFiles::All) plan.blind_spots.emplace_back(kNamedLooks);
  }
  if (plan.files == MonitorFiles::None) plan.blind_spots.insert(plan.blind_spots.begin(), "files: not watched");
  return plan;
}

}  // namespace

Plan plan(const profile::Monitor& wanted, const confine::seccomp::Plan& filter, const Support& support,
          profile::NetworkMode network) {
  Plan plan = plan_calls(wanted, filter, support, network);
  add_audit(support, plan);
  return plan;
}

Support probe() {
  Support support{.seccomp = confine::seccomp::probe()};
  if (support.seccomp.notify && sys::seccomp_mode() == SECCOMP_MODE_FILTER) support.listener = try_listener();
  return support;
}

}  // namespace jail::monitor
