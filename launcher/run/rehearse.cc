#include "run/rehearse.h"

#include "run/facts.h"
#include "run/supervise.h"

namespace jail::run {

std::optional<BuildFailure> rehearse(const Plan& plan) {
  const Fd signals = open_signals();
  const StdioPlan stdio;
  StdioEnds ends;
  auto started = start(plan, stdio, ends, {});
  if (auto* failure = std::get_if<BuildFailure>(&started)) return *failure;
  auto ready = wait_ready(std::get<Jail>(started), signals);
  if (auto* failure = std::get_if<BuildFailure>(&ready)) return *failure;
  return std::nullopt;
}

Plan bare_plan() {
  profile::Profile profile;
  profile.name = "doctor";
  Request request;
  request.argv = {"true"};
  request.launcher = launcher();
  return plan(profile, {}, probe(), request);
}

}  // namespace jail::run
