#include "egress/given_names.h"

namespace jail::egress {

void GivenNames::add(const Address& address, std::string_view name) {
  const auto [entry, is_new] = names_.insert_or_assign(key_of(address), std::string(name));
  if (is_new) order_.push_back(entry->first);
  if (order_.size() <= kMost) return;
  names_.erase(order_.front());
  order_.pop_front();
}

std::string_view GivenNames::name_of(const Address& address) const {
  const auto found = names_.find(key_of(address));
  return found == names_.end() ? std::string_view() : found->second;
}

}  // namespace jail::egress
