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
  if (std::ranges::find(plan.monitor.traced, trace::Family::Network) == plan.monitor.traced.end()) return std::nullopt;
  std::string why;
  group_ = trace::Cgroup::make("jail-" + std::to_string(::getpid()), why);
  if (!group_) return refusal(plan, why);
  return std::nullopt;
}

std::optional<Refusal> Tracing::start(const Plan& plan, pid_t plugin, trace::Log log) {
  if (!is_traced(plan)) return std::nullopt;
  std::string why;
  watching_ = trace::Watching::start(*tracer,
                                     {.families = plan.monitor.traced,
                                      .what = plan.monitor.traced_what,
                                      .member = plugin,
                                      .cgroup = group(),
                                      .ring_bytes = plan.monitor.ring_bytes,
                                      .log = std::move(log)},
                                     why);
  if (!watching_) return refusal(plan, why);
  return std::nullopt;
}

bool Tracing::finish() { return !watching_ || watching_->finish() == trace::Watching::End::Clean; }

}  // namespace jail::run
