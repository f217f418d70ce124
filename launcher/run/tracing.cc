#include "run/tracing.h"

#include <unistd.h>

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

std::optional<trace::Tracer> find_tracer(const profile::Monitor& wanted) {
  using profile::MonitorSource;
  if (wanted.source.value == MonitorSource::Ebpf) return trace::Tracer::open();
  return wanted.source.value == MonitorSource::Auto ? trace::Tracer::open_kept() : std::nullopt;
}

std::optional<Refusal> Tracing::make_group(Plan& plan) {
  if (std::ranges::none_of(plan.monitor.traced, trace::is_of_group)) return std::nullopt;
  std::string why;
  group_ = trace::Cgroup::make("jail-" + std::to_string(::getpid()), why);
  return group_ ? std::nullopt : refuse_or_leave_out(plan, why);
}

std::optional<Refusal> Tracing::make_ring(Plan& plan, pid_t init) {
  if (plan.monitor.traced.empty()) return std::nullopt;
  std::string why;
  ring_ = trace::RunRing::make(*tracer, init, plan.monitor.ring_bytes, why);
  return ring_ ? std::nullopt : refuse_or_leave_out(plan, why);
}

std::optional<Refusal> Tracing::start(Plan& plan, const monitor::Rules& rules, pid_t plugin, trace::Log log) {
  if (plan.monitor.traced.empty()) return std::nullopt;
  const auto events = std::make_shared<monitor::TracedEvents>(rules, plugin, std::move(log));
  std::string why;
  watching_ = trace::Watching::start(*tracer,
                                     {.families = plan.monitor.traced,
                                      .what = plan.monitor.traced_what,
                                      .member = plugin,
                                      .ring = std::exchange(ring_, nullptr),
                                      .cgroup = group(),
                                      .log = [events](const event::Event& event) { events->add(event); },
                                      .judge = [events](const trace::FileCall& call) { events->judge(call); },
                                      .after_reading = [events] { events->flush(); },
                                      .at_end = [events] { events->finish(); }},
                                     why);
  return watching_ ? std::nullopt : refuse_or_leave_out(plan, why);
}

bool Tracing::finish() { return !watching_ || watching_->finish() == trace::Watching::End::Clean; }

}  // namespace jail::run
