// The way out of the jail's own network, out of `network.allow` and `network.listen`. Pure.
//
// Nothing leads out of that network: its one interface is its own loopback. A door is a listening socket on one side
// for which a relay of ours makes connections on the other, so that what has no door is not there, whatever the plugin
// sends. For other hosts every address is the jail's own (a local default route), and a door takes what goes to its
// port at any of them: the relay looks which one was meant. At port 53, where a resolver of our own takes what goes to
// any address, a door has one address.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "egress/address.h"
#include "profile/profile.h"

namespace jail::egress {

struct Door {
  profile::Protocol protocol = profile::Protocol::Tcp;
  Address at;            // where the socket listens; unspecified: at every address
  profile::Place place;  // the first line that asks for it
};
bool is_at_every_address(const Door& door) noexcept;

// Each is a listening socket, and a run's descriptors are not many.
inline constexpr std::size_t kMostDoors = 128;

struct Plan {
  std::vector<profile::Endpoint> rules;  // network.allow
  std::vector<Door> out;                 // in the jail's network
  std::vector<Door> in;                  // of the host, each of which leads to the same port of the jail's loopback
  enum class Reach { Loopback, Abroad } reach = Reach::Loopback;  // Abroad: other hosts, too
  enum class Resolver { None, Own } resolver = Resolver::None;    // Own: some of them by name
  // Where the door for every port of other hosts stands (TCP alone): the kernel leads to it what has no other.
  std::optional<std::uint16_t> port_of_all;

  // What of the profile this version cannot do.
  struct Missing {
    std::string reason;
    profile::Place place;
  };
  std::optional<Missing> missing;
};

Plan plan(const profile::Network& network);

// Where a door that leads in has its connections made to: the same port of the jail's loopback.
Address within(const Door& in);

}  // namespace jail::egress
