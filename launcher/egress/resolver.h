// The jail's name server: a process of its own, the only one in which a message of a plugin's is read. It answers for
// the names that the profile permits and passes on no other, and has each address opened before the plugin learns it.
//
// It caches nothing (the host's own resolver does), asks only for A and AAAA (a permitted name has nothing of another
// type here: HTTPS records carry addresses of their own), and hands out plain addresses instead of chains of CNAME.
#pragma once

#include "base/fd.h"
#include "egress/dns_clients.h"
#include "egress/link.h"
#include "egress/names.h"
#include "egress/upstreams.h"

namespace jail::egress {

// Over `relay` addresses are opened, and streams are looked at (judge.h); each question is told by `told`, another
// one, without waiting for whom it tells (lookup.h). Once that has no more to say to us (shutdown(2)) what is under way
// is told as failed. SysError: of what it cannot do without; ECONNRESET: the relay is gone.
void resolve(ResolverSockets sockets, const Names& names, Upstreams upstreams, const Link& relay, const Fd& told);

}  // namespace jail::egress
