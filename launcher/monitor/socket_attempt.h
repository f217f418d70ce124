// Who a socket call speaks to, read from the caller's memory or asked of its socket.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "event/event.h"
#include "monitor/caller.h"
#include "monitor/calls.h"
#include "monitor/peer.h"

namespace jail::monitor {

inline constexpr std::size_t kMostOfAnAddress = 128;  // bytes: sizeof(sockaddr_storage), beyond which is EINVAL

// None: it cannot be read.
std::optional<std::vector<std::byte>> address_bytes(const Caller& caller, std::uint64_t address, std::uint64_t length);
// Of none: an address of which nothing is known.
Address decoded(const std::optional<std::vector<std::byte>>& bytes);
Address read_address(const Caller& caller, std::uint64_t address, std::uint64_t length);

// The other sides that `count` messages at `messages` name, each once: msghdr(3), of which sendmmsg(2) takes several.
std::vector<Address> read_peers(const Caller& caller, std::uint64_t messages, std::uint64_t count);

// What getsockname(2) says of a socket of the caller's.
event::Peer own_side(const Caller& caller, int descriptor);

event::Body net_body(Operation operation, std::uint32_t number, event::Peer peer);

}  // namespace jail::monitor
