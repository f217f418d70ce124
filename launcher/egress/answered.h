// Which names the resolver has answered with which addresses. Bounded: the oldest are forgotten first.
#pragma once

#include <deque>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "egress/address.h"

namespace jail::egress {

class Answered {
 public:
  static constexpr std::size_t kMost = 4096;

  void add(std::string_view name, const Address& address);
  [[nodiscard]] bool has(std::string_view name, const Address& address) const;

 private:
  using Pair = std::pair<std::string, std::string>;  // a name, an address as text
  static Pair pair_of(std::string_view name, const Address& address) { return {std::string(name), text_of(address)}; }

  std::set<Pair> pairs_;
  std::deque<Pair> order_;
};

}  // namespace jail::egress
