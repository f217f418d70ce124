// The way out of the jail's own network, out of `network.allow` and `network.listen`. Pure.
//
// Nothing leads out of that network: its one interface is its own loopback. A door is a socket on one side for which
// a relay of ours makes connections on the other, so that what has no door is not there, whatever the plugin sends.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "egress/address.h"
#include "profile/profile.h"

namespace jail::egress {

struct Door {
  Address at;           // where the socket listens, and what it stands for on the other side
  profile::Place place;  // the line that asks for it
};

// Each is a listening socket, and a run's descriptors are not many.
inline constexpr std::size_t kMostDoors = 64;

struct Plan {
  std::vector<Door> out;  // ports of the host's loopback, at the same address of the jail's
  std::vector<Door> in;   // ports of the host, which lead to the same port of the jail's loopback

  // What of the profile this version cannot do.
  struct Missing {
    std::string reason;
    profile::Place place;
  };
  std::optional<Missing> missing;

  [[nodiscard]] bool is_needed() const { return !out.empty() || !in.empty(); }
};

Plan plan(const profile::Network& network);

}  // namespace jail::egress
