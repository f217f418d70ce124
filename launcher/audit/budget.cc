#include "audit/budget.h"

#include <algorithm>

namespace jail::audit {
namespace {

struct WeightOf {
  Weight operator()(const event::RunStarted&) const { return Weight::Always; }
  Weight operator()(const event::RunEnded&) const { return Weight::Always; }
  Weight operator()(const event::RunRefused&) const { return Weight::Always; }
  Weight operator()(const event::LogOpened&) const { return Weight::Always; }
  Weight operator()(const event::LimitReached&) const { return Weight::Always; }
  Weight operator()(const event::MonitorLost&) const { return Weight::Always; }
  Weight operator()(const event::MonitorChanged&) const { return Weight::Always; }
  Weight operator()(const event::OperatorAction&) const { return Weight::Always; }
  Weight operator()(const event::PluginFile&) const { return Weight::Reserved; }  // bounded, and before any flood
  Weight operator()(const event::SyscallDenied&) const { return Weight::Reserved; }
  Weight operator()(const event::PrivilegeAttempt&) const { return Weight::Reserved; }
  template <typename Body>
  Weight operator()(const Body&) const {
    return Weight::Bulk;
  }
};

}  // namespace

Weight weight_of(const event::Event& event) noexcept {
  const bool denied = event.verdict && event.verdict->decision == event::Decision::Denied;
  const Weight weight = std::visit(WeightOf(), event.body);
  return weight == Weight::Bulk && denied ? Weight::Reserved : weight;
}

Budget::State Budget::spend(Weight weight, std::uint64_t bytes) noexcept {
  std::uint64_t& left = left_[static_cast<std::size_t>(weight)];
  const bool had = left > 0;
  left -= std::min(left, bytes);
  return had && left == 0 ? State::JustSpent : State::Left;
}

}  // namespace jail::audit
