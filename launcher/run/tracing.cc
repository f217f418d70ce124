#include "run/tracing.h"

#include <unistd.h>

#include <algorithm>

namespace jail::run {
namespace {

Refusal refusal(const Plan& plan, std::string reason) {
  const auto layer = std::ranges::find(plan.layers, "monitor", &confine::Layer::name);
  return {"monitor", "eBPF: " + std::move(reason), "'source: notify' needs none of it",
          layer == plan.layers.end() ? std::nullopt : layer->asked_by};
}

bool is_traced(const Plan& plan) { return !plan.monitor.traced.empty(); }

}  // namespace

std::optional<Refusal> Tracing::make_group(const Plan& plan) {
  const bool wanted = std::ranges::find(plan.monitor.traced, trace::Family::Network) != plan.monitor.traced.end();
  if (!wanted || !access.own) return std::nullopt;  // jaild has a group for all
  std::string why;
  group_ = trace::Cgroup::make("jail-" + std::to_string(::getpid()), why);
  if (!group_) return refusal(plan, why);
  return std::nullopt;
}

void Tracing::ask(const Plan& plan, const Worker& init) {
  if (is_traced(plan) && access.broker) access.broker->ask(plan.monitor.traced, plan.monitor.traced_what, init.pidfd());
}

std::optional<Refusal> Tracing::start(const Plan& plan, const Jail& jail, trace::Log log) {
  if (!is_traced(plan)) return std::nullopt;
  std::string why;
  watching_ = watch(plan, jail, std::move(log), why);
  if (!watching_) return refusal(plan, why);
  return std::nullopt;
}

std::unique_ptr<trace::Watching> Tracing::watch(const Plan& plan, const Jail& jail, trace::Log log, std::string& why) {
  const monitor::Plan& wanted = plan.monitor;
  if (access.own)
    return trace::Watching::start(*access.own,
                                  {.families = wanted.traced,
                                   .what = wanted.traced_what,
                                   .member = jail.plugin.pid(),
                                   .cgroup = group(),
                                   .log = std::move(log)},
                                  why);
  auto feed = std::move(*access.broker).take(why);
  return feed ? trace::Watching::start(std::move(feed), std::move(log)) : nullptr;
}

bool Tracing::finish() { return !watching_ || watching_->finish() == trace::Watching::End::Clean; }

}  // namespace jail::run
