#include "monitor/loss.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include "base/error.h"

namespace jail::monitor {

Loss::Loss(profile::OnLoss reaction)
    : reaction_(reaction), change_(check(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd")) {}

void Loss::tell(Sort sort, const std::string& reason) {
  if (reaction_ == profile::OnLoss::Count) return;
  const std::scoped_lock held(mutex_);
  state_.count += 1;
  if (state_.holds && (state_.sort == Sort::Lasting || sort == Sort::Passing)) return;
  state_.holds = true;
  state_.sort = sort;
  state_.reason = reason;
  say();
}

void Loss::end() {
  const std::scoped_lock held(mutex_);
  state_ = {};
  say();
}

Loss::State Loss::now() const {
  const std::scoped_lock held(mutex_);
  return state_;
}

void Loss::heard() const noexcept {
  std::uint64_t changes = 0;
  (void)!::read(change_.get(), &changes, sizeof changes);
}

void Loss::say() const noexcept {
  const std::uint64_t one = 1;
  (void)!::write(change_.get(), &one, sizeof one);
}

}  // namespace jail::monitor
