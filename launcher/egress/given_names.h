// For which name the plugin was last given an address, so that records of connections can have it. Bounded: the oldest
// are forgotten first.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "egress/address.h"

namespace jail::egress {

class GivenNames {
 public:
  static constexpr std::size_t kMost = 1024;

  void add(const Address& address, std::string_view name);
  // Empty: it was not asked for, or long ago.
  [[nodiscard]] std::string_view name_of(const Address& address) const;

 private:
  using Key = std::pair<int, std::array<std::uint8_t, 16>>;
  static Key key_of(const Address& address) { return {address.family, address.bytes}; }

  std::map<Key, std::string> names_;
  std::deque<Key> order_;
};

}  // namespace jail::egress
