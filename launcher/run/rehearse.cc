#include "run/rehearse.h"

#include <sys/stat.h>

#include <algorithm>

#include "run/facts.h"
#include "run/findings.h"
#include "run/group.h"
#include "run/record.h"
#include "run/supervise.h"
#include "run/trace_access.h"

namespace jail::run {

std::optional<BuildFailure> rehearse(Plan& plan, Proc proc, const std::string& broker) {
  ::umask(kOwnUmask);
  const Fd signals = open_signals();
  const StdioPlan stdio;
  StdioEnds ends;
  Group group;
  Placement& placement = group.placement();
  if (plan.limits.of_group.any()) (void)placement.make(broker);
  auto init = start_init(plan.identity, placement);
  while (placement.settle(confine::limits::needed(plan.limits.of_group), [&init] { init = Worker(); }))
    init = start_init(plan.identity, placement);
  if (auto* failure = std::get_if<BuildFailure>(&init)) return *failure;
  Construction construction(std::move(std::get<Worker>(init)), plan, stdio, ends, placement, {});
  auto ready = construction.wait_ready(signals, proc);
  if (auto* failure = std::get_if<BuildFailure>(&ready)) return *failure;
  if (!construction.without_wall().empty()) weaken(plan, "net", construction.without_wall());
  if (auto refusal = refusal_for(plan, construction.findings()))
    return BuildFailure{std::move(refusal->layer), std::move(refusal->reason), 0};
  if (const std::string why = placement.add(std::get<Jail>(ready).plugin.pidfd()); !why.empty())
    return BuildFailure{"limits.pids", why, 0};
  for (const auto& [name, reason] : group.hold(plan.limits.of_group)) {
    const auto layer = std::ranges::find(plan.layers, name, &confine::Layer::name);
    if (layer == plan.layers.end() || layer->asked_by) return BuildFailure{std::string(name), reason, 0};
    leave_out(plan, name, reason);
  }
  return std::nullopt;
}

Plan bare_plan(const std::string& broker) {
  profile::Profile profile;
  profile.name = "doctor";
  profile.network.allow.push_back({.kind = profile::HostKind::Address,
                                   .host = "192.0.2.1",  // RFC 5737
                                   .ports = {{443, 443}},
                                   .place = {}});
  Request request;
  request.argv = {"true"};
  request.launcher = launcher();
  Support support = probe();
  support.group = Placement::foresee(broker);
  support.monitor.trace = TraceAccess::find(profile, broker).support;
  return plan(profile, {}, support, request);
}

}  // namespace jail::run
