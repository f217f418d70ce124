#include "egress/dns_limits.h"

#include <algorithm>

namespace jail::egress {

bool RateLimit::take(std::uint64_t now) noexcept {
  const double seconds = static_cast<double>(now - last_) / static_cast<double>(kSecond);
  if (last_ != 0) left_ = std::min(burst_, left_ + seconds * per_second_);
  last_ = now;
  if (left_ < 1) return false;
  left_ -= 1;
  return true;
}

bool NameBudget::take(const std::string& zone, std::string_view name, std::uint64_t now) {
  Minute& minute = zones_[zone];
  if (now - minute.began >= 60 * kSecond) minute = {.began = now, .names = {}};
  std::string key(name);
  if (minute.names.contains(key)) return true;
  if (minute.names.size() >= most_) return false;
  minute.names.insert(std::move(key));
  return true;
}

}  // namespace jail::egress
