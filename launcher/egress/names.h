// Which lines of `network.allow` permit a name, and which permit an address by itself. Pure. A name is looked up by
// itself and by each of its suffixes, so that it costs the same whether the profile has ten lines or ten thousand.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "egress/address.h"
#include "profile/profile.h"

namespace jail::egress {

// Whether anybody in the world may say where it points: not so for one without a dot, and for those that are set apart
// for local networks (RFC 6762, RFC 8375, .internal), whose addresses are private more often than not.
bool is_public(std::string_view name) noexcept;

// Whether it is among them; none at all are every port.
bool has_port(const std::vector<profile::PortRange>& ranges, std::uint16_t port) noexcept;

// The number of an endpoint in profile::Network::allow.
using Rule = std::uint32_t;

class Names {
 public:
  explicit Names(const std::vector<profile::Endpoint>& allow);

  struct Match {
    std::vector<Rule> rules;  // ascending; empty: not permitted
    std::string zone;         // without "*.", where no line has the whole name: anything may stand in front of it
  };
  // `name`: lower case, without the final dot.
  [[nodiscard]] Match permits(std::string_view name) const;

  // Of these, the ones that have the port for TCP.
  [[nodiscard]] std::vector<Rule> permits(std::string_view name, std::uint16_t tcp_port) const;

  // Whether a line has the address, alone or in a prefix.
  [[nodiscard]] bool permits(const Address& address) const noexcept;
  // The first that does; of what lies near, prefixes that lie there themselves (policy.h).
  [[nodiscard]] std::optional<Rule> find(const Address& address) const noexcept;

 private:
  struct Hash : std::hash<std::string_view> {
    using is_transparent = void;
  };
  using Table = std::unordered_map<std::string, std::vector<Rule>, Hash, std::equal_to<>>;
  struct Prefix {
    Address address;
    int bits = 0;
    Rule rule = 0;
  };
  struct Ports {
    profile::Protocol protocol;
    std::vector<profile::PortRange> ranges;
  };
  void add(const profile::Endpoint& endpoint, Rule rule);

  Table exact_;
  Table zones_;
  std::vector<Prefix> prefixes_;
  std::vector<Ports> ports_;  // by rule
};

}  // namespace jail::egress
