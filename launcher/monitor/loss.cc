#include "monitor/loss.h"

namespace jail::monitor {

Loss::Loss(profile::OnLoss reaction) : reaction_(reaction) {}

void Loss::tell(Sort sort, const std::string& reason) {
  if (reaction_ == profile::OnLoss::Count) return;
  const std::scoped_lock held(mutex_);
  state_.count += 1;
  if (state_.holds && (state_.sort == Sort::Lasting || sort == Sort::Passing)) return;
  state_.holds = true;
  state_.sort = sort;
  state_.reason = reason;
  change_.raise();
}

void Loss::end() {
  const std::scoped_lock held(mutex_);
  state_ = {};
  change_.raise();
}

Loss::State Loss::now() const {
  const std::scoped_lock held(mutex_);
  return state_;
}

}  // namespace jail::monitor
