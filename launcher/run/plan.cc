#include "run/plan.h"

#include <algorithm>

#include "confine/landlock_rights.h"

namespace jail::run {
namespace {

using confine::Layer;
using confine::LayerState;

Layer enforced(std::string_view name) {
  return {.name = name, .state = LayerState::Enforced, .reason = {}, .asked_by = {}};
}

Layer absent(std::string_view name, std::string reason, std::optional<profile::Place> asked_by = {}) {
  return {.name = name, .state = LayerState::Absent, .reason = std::move(reason), .asked_by = std::move(asked_by)};
}

Layer partial(std::string_view name, std::string reason) {
  return {.name = name, .state = LayerState::Partial, .reason = std::move(reason), .asked_by = {}};
}

bool landlock_tells_sockets_apart(const Plan& plan) {
  return (plan.landlock.filesystem & confine::landlock::kResolveUnix) != 0;
}

bool reaches_unix_sockets(const Plan& plan) {
  return landlock_tells_sockets_apart(plan) || plan.connections == monitor::Connections::BySupervisor;
}

void add_network(const profile::Network& network, const Plan& plan, std::vector<Layer>& layers) {
  if (plan.egress.missing)
    layers.push_back(absent("net", plan.egress.missing->reason, plan.egress.missing->place));
  else if (!network.unix_sockets.empty() && !reaches_unix_sockets(plan))
    layers.push_back(absent("net", "network.unix needs Landlock ABI 9, or seccomp notification: jail then connects",
                            network.unix_sockets.front().place));
  else if (network.mode.value == profile::NetworkMode::Host)
    layers.push_back(absent("net", "the host's own network, as network.mode says"));
  else if (plan.egress.reach == egress::Plan::Reach::Abroad && !plan.wall)
    layers.push_back(partial("net", "more addresses than the kernel's wall is told of: the relay alone decides"));
  else layers.push_back(enforced("net"));
}

// Whoever is denied something by the kernel itself goes on at once.
void add_audit(const profile::Audit& audit, monitor::Source source, std::vector<Layer>& layers) {
  const bool each = audit.durable.stated && audit.durable.value == profile::Durable::Each;
  if (each && source != monitor::Source::Notify)
    layers.push_back(absent("audit", "without notification nobody waits until a record is on disk",
                            audit.durable.stated));
  else layers.push_back(enforced("audit"));
}

std::vector<Layer> gather_layers(const profile::Profile& profile, const Plan& plan) {
  std::vector<Layer> layers;
  for (const std::string_view name : {"userns", "mount", "pid", "ipc", "uts", "cgroupns"})
    layers.push_back(enforced(name));
  add_network(profile.network, plan, layers);
  layers.push_back(enforced("proc"));
  layers.push_back(plan.landlock.layer);
  for (const std::string_view name : {"seccomp", "capabilities", "env", "fds", "keyring"})
    layers.push_back(enforced(name));
  layers.insert(layers.end(), plan.limits.layers.begin(), plan.limits.layers.end());
  layers.insert(layers.end(), plan.monitor.layers.begin(), plan.monitor.layers.end());
  add_audit(profile.audit, plan.monitor.source, layers);
  if (profile.integrity)
    layers.push_back(
        {.name = "integrity", .state = LayerState::Enforced, .reason = {}, .asked_by = profile.integrity->place});
  return layers;
}

// What a profile states must hold; what it states nothing about is as good as this machine can.
void refuse_what_is_missing(const profile::Profile& profile, const Request& request, Plan& plan) {
  for (const Layer& layer : plan.layers) {
    const bool floor = layer.name == "landlock" && layer.state == LayerState::Absent;
    if (floor)
      plan.refusals.push_back({"landlock",
                               layer.reason,
                               "jail runs nothing without Landlock: add it to lsm= or use a kernel from 5.13 on",
                               {}});
    if (floor || layer.state != LayerState::Absent || !layer.asked_by) continue;
    if (may_be_absent(profile, request.strictness, layer.name)) continue;
    const char* remedy = layer.name.starts_with("limits.") ? "; 'jail doctor' says what would hold it" : "";
    plan.refusals.push_back({std::string(layer.name), layer.reason,
                             "take the line out, or let it be absent: best_effort: [" + std::string(layer.name) + "]" +
                                 remedy,
                             layer.asked_by});
  }
}

Command plan_command(const std::vector<std::string>& argv, const confine::environment::Plan& environment) {
  Command command{argv, {}};
  if (argv.front().empty() || argv.front().find('/') != std::string::npos) {  // none is a name of what PATH leads to
    command.candidates.push_back(argv.front());
    return command;
  }
  std::string path = "/usr/local/bin:/usr/bin:/bin";
  for (const std::string& variable : environment.variables)
    if (variable.starts_with("PATH=")) path = variable.substr(5);
  for (std::size_t start = 0; start <= path.size();) {
    const std::size_t end = std::min(path.find(':', start), path.size());
    if (end > start) command.candidates.push_back(path.substr(start, end - start) + "/" + argv.front());
    start = end + 1;
  }
  return command;
}

void refuse_bad_identity(const profile::Profile& profile, Plan& plan) {
  if (plan.identity.problem.empty()) return;
  const char* hint = plan.identity.by_root ? "name another account: user: NAME"
                                           : "leave 'user' out: the plugin runs as who starts it";
  plan.refusals.push_back({"userns", plan.identity.problem, profile.user.stated ? hint : "", profile.user.stated});
}

// A name that is not known denies nothing, and allows nothing.
void refuse_bad_names(Plan& plan) {
  for (const profile::Diagnostic& fault : plan.seccomp.diagnostics)
    if (fault.severity == profile::Diagnostic::Severity::Error)
      plan.refusals.push_back({"seccomp", fault.message, fault.hint, fault.place});
}

// Below Landlock ABI 9 a socket of the plugin's own would reach every path socket it can see: there is none, or the
// supervisor makes its connections (DECISIONS 10).
void plan_calls(const profile::Profile& profile, const Support& support, Plan& plan) {
  using enum confine::seccomp::UnixSockets;
  const auto filter = [&](confine::seccomp::UnixSockets sockets) {
    return confine::seccomp::plan(profile.syscalls, {.unix_sockets = sockets, .gaps = {}});
  };
  const bool told_apart = landlock_tells_sockets_apart(plan);
  plan.seccomp = filter(told_apart ? Allowed : SocketpairOnly);
  plan.monitor = monitor::plan(profile.monitor, plan.seccomp, support.monitor, profile.network.mode.value);
  if (told_apart || profile.network.unix_sockets.empty() || plan.monitor.source != monitor::Source::Notify) return;
  plan.connections = monitor::Connections::BySupervisor;
  plan.seccomp = filter(ConnectOnly);
}

void plan_wall(Plan& plan) {
  if (plan.egress.missing) return;
  plan.ports_abroad = egress::ports_abroad(plan.egress);
  if (plan.egress.reach != egress::Plan::Reach::Abroad) return;
  const bool has_every_port = plan.egress.port_of_all.has_value();
  const bool others_are_told = plan.monitor.source != monitor::Source::None && !has_every_port;
  plan.wall = egress::ruleset_of(plan.egress, others_are_told ? egress::Tells::AtDoors : egress::Tells::All);
  if (!plan.wall && has_every_port)
    plan.egress.missing = {"every port of a host needs the kernel's wall, which is not told of so many addresses",
                           plan.egress.rules.back().place};
}

// The view has links of its own on the way to a tree, the digest has none.
std::optional<profile::Integrity> plan_integrity(const profile::Profile& profile, const profile::Facts& facts) {
  std::optional<profile::Integrity> integrity = profile.integrity;
  if (!integrity) return integrity;
  const auto fact = facts.paths.find(integrity->path);
  if (fact != facts.paths.end() && !fact->second.real.empty()) integrity->path = fact->second.real;
  return integrity;
}

}  // namespace

Support probe() { return {.landlock = confine::landlock::probe(), .monitor = monitor::probe(), .group = {}}; }

bool may_be_absent(const profile::Profile& profile, Strictness strictness, std::string_view layer) {
  if (strictness == Strictness::BestEffort) return true;
  return std::any_of(profile.best_effort.begin(), profile.best_effort.end(),
                     [&](const profile::BestEffort& entry) { return entry.layer == layer; });
}

Plan plan(const profile::Profile& profile, const profile::Facts& facts, const Support& support,
          const Request& request) {
  Plan plan;
  plan.profile = profile.name;
  plan.identity = confine::identity::plan(profile.user, request.launcher, request.account);
  plan.namespaces = confine::namespaces::plan(profile.network);
  plan.egress = egress::plan(profile.network);
  plan.view = confine::view::plan(profile, facts, request.mounts);
  if (plan.egress.resolver == egress::Plan::Resolver::Own)
    confine::view::add_file(plan.view, {"/etc/resolv.conf", request.settings_of_names});
  plan.landlock = confine::landlock::plan(plan.view, support.landlock);
  plan.limits = confine::limits::plan(profile.limits, support.group);
  plan.environment = confine::environment::plan(profile.env, request.caller_environment);
  plan_calls(profile, support, plan);
  plan_wall(plan);
  plan.integrity = plan_integrity(profile, facts);
  plan.hashed = monitor::plan_hashed(profile, facts);
  if (!request.argv.empty()) plan.command = plan_command(request.argv, plan.environment);
  plan.time_ms = profile.limits.time_ms.value;
  plan.grace_ms = profile.limits.grace_ms.value;
  plan.layers = gather_layers(profile, plan);
  refuse_bad_identity(profile, plan);
  refuse_bad_names(plan);
  refuse_what_is_missing(profile, request, plan);
  return plan;
}

}  // namespace jail::run
