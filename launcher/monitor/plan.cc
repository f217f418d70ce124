#include "monitor/plan.h"

#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <optional>

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
      "reads and writes of files that are open already",
      "names in memory that nobody may read: said as path_unknown",
      "calls that a filter of the plugin's own refuses first",
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

// Keys whose mechanism is not part of this version.
std::optional<Layer> unbuilt(const profile::Monitor& wanted) {
  if (wanted.source.value == MonitorSource::Ebpf)
    return absent("an eBPF source of events is not part of this version", wanted.source.stated);
  return std::nullopt;
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

Plan plan(const profile::Monitor& wanted, const confine::seccomp::Plan& filter, const Support& support) {
  Plan plan;
  plan.files = wanted.files.value;
  if (wanted.source.stated && wanted.source.value == MonitorSource::None) return plan;
  std::optional<Layer> why_not = unbuilt(wanted);
  if (!why_not) why_not = without_listener(wanted, filter, support);
  plan.layers.push_back(why_not ? *why_not : notify_layer(wanted, support));
  if (why_not) return plan;
  plan.source = Source::Notify;
  plan.blind_spots = blind_spots();
  if (plan.files == MonitorFiles::None) plan.blind_spots.insert(plan.blind_spots.begin(), "files: not watched");
  return plan;
}

Support probe() {
  Support support{.seccomp = confine::seccomp::probe()};
  if (support.seccomp.notify && sys::seccomp_mode() == SECCOMP_MODE_FILTER) support.listener = try_listener();
  return support;
}

}  // namespace jail::monitor
