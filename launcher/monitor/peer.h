// Socket addresses as they stand in memory (socket(7), unix(7), ip(7), ipv6(7)).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "event/event.h"

namespace jail::monitor {

enum class Reach : std::uint8_t {
  Nobody,    // a disconnect, or netlink: no other side
  Loopback,  // the machine itself, as the caller's network namespace has it
  Abroad,    // another address
  Path,      // a Unix socket by its path
  Abstract,  // a Unix socket by its name
  Other,     // another family
};

struct Address {
  event::Peer peer;
  Reach reach = Reach::Nobody;
  bool operator==(const Address&) const = default;
};

// `bytes`: as many as the caller has said it has.
Address decode_address(std::span<const std::byte> bytes);

}  // namespace jail::monitor
