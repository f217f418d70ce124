#include "monitor/plan.h"

#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>

#include "bpf/events.h"
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

const std::vector<std::string>& blind_spots() {
  static const std::vector<std::string> spots{
      "files that their own mode or owner denies",
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

bool traces_files(const profile::Monitor& wanted) {
  return wanted.files.value == MonitorFiles::Changes || wanted.files.value == MonitorFiles::All;
}

// The hooks where they load, for nobody else pays for them.
trace::Family files_family(const trace::Support& support) {
  return support.has(trace::Family::FileHooks) ? trace::Family::FileHooks : trace::Family::FileExit;
}

// In a network of the jail's own notification is in the way of every address anyway, and knows who is not there.
std::vector<trace::Family> families(const profile::Monitor& wanted, const trace::Support& support,
                                    profile::NetworkMode network) {
  std::vector<trace::Family> all{trace::Family::Process};
  if (network == profile::NetworkMode::Host) all.push_back(trace::Family::Network);
  if (network == profile::NetworkMode::Host && support.has(trace::Family::NetworkUnix))
    all.push_back(trace::Family::NetworkUnix);
  if (support.has(trace::Family::Privilege)) all.push_back(trace::Family::Privilege);
  if (traces_files(wanted)) all.push_back(files_family(support));
  return all;
}

std::optional<Layer> without_trace(const profile::Monitor& wanted, const Support& support,
                                   profile::NetworkMode network) {
  if (!is_traced(wanted)) return std::nullopt;
  if (!support.trace) return absent("eBPF was not looked at", wanted.source.stated);
  for (const trace::Family family : families(wanted, *support.trace, network))
    if (const std::string& why = support.trace->why_not(family); !why.empty())
      return absent("no eBPF programs (" + std::string(trace::name_of(family)) + "): " + why, wanted.source.stated);
  return std::nullopt;
}

std::string tell_files(trace::Family family) {
  if (family == trace::Family::FileHooks) return "files that were reached: ebpf, by the hooks of the security modules";
  return "files that were reached: ebpf, by the end of each system call: every process of this machine pays for it, "
         "0.1 to 0.3 us a call";
}

void add_trace(const profile::Monitor& wanted, const trace::Support& support, profile::NetworkMode network,
               Plan& plan) {
  plan.traced = families(wanted, support, network);
  plan.traced_what = JAIL_WANT_PROCESS | JAIL_WANT_NETWORK | JAIL_WANT_PRIVILEGE;
  plan.ring_bytes = static_cast<std::uint32_t>(wanted.ring.value);
  if (traces_files(wanted)) plan.traced_what |= JAIL_WANT_CHANGES;
  if (wanted.files.value == MonitorFiles::All) plan.traced_what |= JAIL_WANT_READS | JAIL_WANT_LOOKS;
  plan.sources = {"what is denied: notify", "programs started, and processes that end: ebpf"};
  if (network == profile::NetworkMode::Host) {
    plan.sources.emplace_back("Internet addresses spoken with, and how much: ebpf");
  } else {
    plan.sources.emplace_back("addresses spoken with: notify");
    plan.addresses = MonitorFiles::All;
  }
  if (traces_files(wanted)) plan.sources.push_back(tell_files(plan.traced.back()));
  const auto has = [&](trace::Family family) { return std::ranges::find(plan.traced, family) != plan.traced.end(); };
  if (has(trace::Family::NetworkUnix)) plan.sources.emplace_back("unix sockets connected to: ebpf");
  else if (!plan.addresses) plan.blind_spots.emplace_back("allowed connections to unix sockets");
  if (has(trace::Family::Privilege)) plan.sources.emplace_back("power that the kernel itself does not give: ebpf");
  else plan.blind_spots.emplace_back("power that the filter lets be asked for, and the kernel does not give");
  if (plan.traced.back() == trace::Family::FileHooks)
    plan.blind_spots.emplace_back("files that are there and only looked at, or opened for their path alone");
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

std::string_view name_of(Source source) { return source == Source::Notify ? "notify" : "none"; }

profile::MonitorFiles told_by_source(const Plan& plan) {
  const bool traced = (plan.traced_what & JAIL_WANT_CHANGES) != 0;
  return traced ? MonitorFiles::Denied : plan.files;
}

std::string_view source_name(const Plan& plan) { return plan.traced.empty() ? name_of(plan.source) : "ebpf"; }

Plan plan(const profile::Monitor& wanted, const confine::seccomp::Plan& filter, const Support& support,
          profile::NetworkMode network) {
  Plan plan;
  plan.files = wanted.files.value;
  if (wanted.source.stated && wanted.source.value == MonitorSource::None) return plan;
  std::optional<Layer> why_not = without_trace(wanted, support, network);
  if (!why_not) why_not = without_listener(wanted, filter, support);
  plan.layers.push_back(why_not ? *why_not : notify_layer(wanted, support));
  if (why_not) return plan;
  plan.source = Source::Notify;
  plan.blind_spots = blind_spots();
  if (is_traced(wanted)) add_trace(wanted, *support.trace, network, plan);
  if (plan.files != MonitorFiles::All)
    plan.blind_spots.emplace_back("looks at a name beside AT_EMPTY_PATH: only files: all asks for them");
  if (plan.files == MonitorFiles::None) plan.blind_spots.insert(plan.blind_spots.begin(), "files: not watched");
  return plan;
}

Support probe() {
  Support support{.seccomp = confine::seccomp::probe()};
  if (support.seccomp.notify && sys::seccomp_mode() == SECCOMP_MODE_FILTER) support.listener = try_listener();
  return support;
}

}  // namespace jail::monitor
