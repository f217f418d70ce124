// Routes and addresses of the caller's network namespace (rtnetlink(7)).
#pragma once

namespace jail::sys {

// Every address, of IPv4 and IPv6, is one of "lo" (a local default route): who connects to any is answered here, or
// refused at once. A host has an address of its own beside loopback then (192.0.0.8, RFC 7600, and an fd00::/8 one),
// without which getaddrinfo(3) with AI_ADDRCONFIG gives none. Needs CAP_NET_ADMIN; throws SysError. A kernel without
// IPv6 is left without.
void make_every_address_local();

}  // namespace jail::sys
