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

std::optional<Refusal> Tracing::take_group(Plan& plan, const Placement& group) {
  const bool wanted = std::ranges::any_of(plan.monitor.traced, trace::is_of_group);
  if (!wanted || !access.own) return std::nullopt;  // jaild has a group for all
  if (group.folder() == nullptr) return refuse_or_leave_out(plan, group.why_none());
  group_ = group.folder();
  return std::nullopt;
}

void Tracing::ask(const Plan& plan, const Worker& init) {
  const monitor::Plan& wanted = plan.monitor;
  if (access.broker && !wanted.traced.empty())
    access.broker->ask(wanted.traced, wanted.traced_what, wanted.ring_bytes, init.pidfd());
}

std::optional<Refusal> Tracing::make_ready(Plan& plan, pid_t init) {
  if (!access.own || plan.monitor.traced.empty()) return std::nullopt;
  return map(plan, init);
}

std::optional<Refusal> Tracing::map(Plan& plan, pid_t init) {
  std::string why;
  if (auto feed = take_feed(plan.monitor, init, why)) watching_ = trace::Watching::open(std::move(feed), why);
  return watching_ ? std::nullopt : refuse_or_leave_out(plan, why);
}

std::unique_ptr<trace::Feed> Tracing::take_feed(const monitor::Plan& plan, pid_t init, std::string& why) {
  if (access.broker) return std::move(*access.broker).take(why);
  return trace::open_feed(*access.own,
                          {.families = plan.traced,
                           .what = plan.traced_what,
                           .member = init,
                           .cgroup = group_,
                           .ring_bytes = plan.ring_bytes},
                          why);
}

std::optional<Refusal> Tracing::start(Plan& plan, const monitor::Rules& rules, pid_t plugin, trace::Log log) {
  if (access.broker && !plan.monitor.traced.empty())
    if (auto refusal = map(plan, 0)) return refusal;
  if (!watching_) return std::nullopt;
  in_floods_ = monitor::shares_of(plan.monitor).files != monitor::Traced::Files::None;
  const auto events = std::make_shared<monitor::TracedEvents>(rules, plugin, std::move(log));
  const std::string why = watching_->begin({.log = [events](const event::Event& event) { events->add(event); },
                                            .judge = [events](const trace::FileCall& call) { events->judge(call); },
                                            .before_reading = [events] { events->look(); },
                                            .after_reading = [events] { events->flush(); },
                                            .at_end = [events] { events->finish(); }});
  if (why.empty()) return std::nullopt;
  watching_.reset();
  return refuse_or_leave_out(plan, why);
}

void Tracing::read_along(Since since, const Worker& init) {
  if (watching_ && (in_floods_ || since == Since::Moment)) watching_->read_along(duplicate(init.pidfd().get()));
}

bool Tracing::finish() { return !watching_ || watching_->finish() == trace::Watching::End::Clean; }

}  // namespace jail::run
