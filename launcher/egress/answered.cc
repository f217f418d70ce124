#include "egress/answered.h"

namespace jail::egress {

void Answered::add(std::string_view name, const Address& address) {
  const auto [pair, is_new] = pairs_.insert(pair_of(name, address));
  if (is_new) order_.push_back(*pair);
  if (order_.size() <= kMost) return;
  pairs_.erase(order_.front());
  order_.pop_front();
}

bool Answered::has(std::string_view name, const Address& address) const {
  return pairs_.contains(pair_of(name, address));
}

}  // namespace jail::egress
