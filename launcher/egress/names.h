// Which lines of `network.allow` permit a name, and which permit an address by itself. Pure. A name is looked up by
// itself and by each of its suffixes, so that it costs the same whether the profile has ten lines or ten thousand.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "egress/address.h"
#include "profile/profile.h"

namespace jail::egress {

// The number of an endpoint in profile::Network::allow.
using Rule = std::uint32_t;

class Names {
 public:
  explicit Names(const profile::Network& network);

  struct Match {
    std::vector<Rule> rules;  // ascending; empty: not permitted
    std::string zone;         // without "*.", where no line has the whole name: anything may stand in front of it
  };
  // `name`: lower case, without the final dot.
  [[nodiscard]] Match permits(std::string_view name) const;

  // Whether a line has the address, alone or in a prefix.
  [[nodiscard]] bool permits(const Address& address) const noexcept;

 private:
  struct Hash : std::hash<std::string_view> {
    using is_transparent = void;
  };
  using Table = std::unordered_map<std::string, std::vector<Rule>, Hash, std::equal_to<>>;
  struct Prefix {
    Address address;
    int bits = 0;
  };
  void add(const profile::Endpoint& endpoint, Rule rule);

  Table exact_;
  Table zones_;
  std::vector<Prefix> prefixes_;
};

}  // namespace jail::egress
