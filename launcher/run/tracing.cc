#include "run/tracing.h"

#include <algorithm>
#include <utility>

#include "monitor/traced.h"

namespace jail::run {
namespace {

// Null: the run goes on, and its plan says without what.
std::optional<Refusal> refuse_or_leave_out(Plan& plan, const std::string& why) {
  if (plan.monitor.tracing == monitor::Tracing::Chosen) {
    monitor::leave_out_trace(plan.monitor, why);
    return std::nullopt;
  }
  const auto layer = std::ranges::find(plan.layers, "monitor", &confine::Layer::name);
  return Refusal{"monitor", "eBPF: " + why, "'source: notify' needs none of it",
                 layer == plan.layers.end() ? std::nullopt : layer->asked_by};
}

}  // namespace

std::optional<Refusal> Tracing::make_group(Plan& plan, Group& group) {
  const bool wanted = std::ranges::any_of(plan.monitor.traced, trace::is_of_group);
  if (!wanted || !access.own) return std::nullopt;  // jaild has a group for all
  std::string why;
  if (group.folder() == nullptr && !group.make_bare(why)) return refuse_or_leave_out(plan, why);
  group_ = group.folder();
  return std::nullopt;
}

std::optional<Refusal> Tracing::make_ring(Plan& plan, const Worker& init) {
  const monitor::Plan& wanted = plan.monitor;
  if (wanted.traced.empty()) return std::nullopt;
  if (access.broker) {
    access.broker->ask(wanted.traced, wanted.traced_what, wanted.ring_bytes, init.pidfd());
    return std::nullopt;
  }
  std::string why;
  ring_ = trace::RunRing::make(*access.own, init.pid(), wanted.ring_bytes, why);
  return ring_ ? std::nullopt : refuse_or_leave_out(plan, why);
}

std::optional<Refusal> Tracing::start(Plan& plan, const monitor::Rules& rules, pid_t plugin, trace::Log log) {
  if (plan.monitor.traced.empty()) return std::nullopt;
  const auto events = std::make_shared<monitor::TracedEvents>(rules, plugin, std::move(log));
  std::string why;
  watching_ = watch(plan.monitor, plugin,
                    {.log = [events](const event::Event& event) { events->add(event); },
                     .judge = [events](const trace::FileCall& call) { events->judge(call); },
                     .after_reading = [events] { events->flush(); },
                     .at_end = [events] { events->finish(); }},
                    why);
  return watching_ ? std::nullopt : refuse_or_leave_out(plan, why);
}

std::unique_ptr<trace::Watching> Tracing::watch(const monitor::Plan& plan, pid_t plugin, trace::Sinks sinks,
                                                std::string& why) {
  if (access.broker) {
    auto feed = std::move(*access.broker).take(why);
    return feed ? trace::Watching::start(std::move(feed), std::move(sinks)) : nullptr;
  }
  return trace::Watching::start(*access.own,
                                {.families = plan.traced,
                                 .what = plan.traced_what,
                                 .member = plugin,
                                 .ring = std::move(ring_),
                                 .cgroup = group_},
                                std::move(sinks), why);
}

bool Tracing::finish() { return !watching_ || watching_->finish() == trace::Watching::End::Clean; }

}  // namespace jail::run
