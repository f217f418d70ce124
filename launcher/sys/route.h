// Routes and addresses of the caller's network namespace (rtnetlink(7)).
#pragma once

#include <cstdint>
#include <span>

#include "base/fd.h"

namespace jail::sys {

// Asks the network namespace that it was made in, whatever changes there afterwards.
class Routes {
 public:
  Routes();  // SysError
  // Whether what is sent there stays on this machine (RTN_LOCAL): an address of an interface, or one that a route makes
  // ours. `address`: 4 or 16 bytes, in network order. Also where nothing can be learned.
  [[nodiscard]] bool is_local(std::span<const std::uint8_t> address) const noexcept;
  [[nodiscard]] const Fd& socket() const noexcept { return socket_; }

 private:
  Fd socket_;
};

// Every address, of IPv4 and IPv6, is one of "lo" (a local default route): who connects to any is answered here, or
// refused at once. A host has an address of its own beside loopback then (192.0.0.8, RFC 7600, and an fd00::/8 one),
// without which getaddrinfo(3) with AI_ADDRCONFIG gives none. Needs CAP_NET_ADMIN; throws SysError. A kernel without
// IPv6 is left without.
void make_every_address_local();

}  // namespace jail::sys
