// Datagrams at a socket that may be bound to every address: for which one each was, and answers that come from there.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "base/fd.h"
#include "egress/address.h"

namespace jail::egress {

// Which network a socket is of. In the jail's every address may be ours by a route alone (IP_FREEBIND), and at port 53
// the resolver stands at every address beside doors that stand at one (SO_REUSEPORT).
enum class Side { Host, Jail };

// A socket that receive() and send_from() take, non-blocking; empty, and errno.
Fd open_datagram_socket(const Address& at, Side side) noexcept;

struct Datagram {
  Address from;
  Address to;
  std::size_t size = 0;  // that were read
  bool is_whole = true;  // else it was longer
};
// By IP_PKTINFO (ip(7)) or IPV6_PKTINFO (ipv6(7)); the port is the socket's own. Nothing: there is none.
std::optional<Datagram> receive(const Fd& socket, std::uint16_t port, std::span<char> into) noexcept;

// What does not fit into the queue of the other side is lost, as a datagram may be: false.
bool send_from(const Fd& socket, const Address& source, const Address& to, std::span<const char> bytes) noexcept;

}  // namespace jail::egress
