// A process that stands between two networks: it holds listening sockets of one and makes connections in the other,
// the one it is in. It looks at no byte of what it passes on.
#pragma once

#include <cstddef>
#include <vector>

#include "base/fd.h"
#include "egress/address.h"

namespace jail::egress {

struct Relayed {
  Fd listener;  // non-blocking
  Address to;
};

// At once; the next one is accepted and reset (EMFILE), so that nobody waits for it in vain.
inline constexpr std::size_t kMostConnections = 256;

// Tells each flow that is over by `told`, a SOCK_SEQPACKET socket, without waiting for whom it tells (flow.h). Once
// that has no more to say to us (shutdown(2)) what is left is ended and told. SysError.
void relay(std::vector<Relayed> doors, const Fd& told);

}  // namespace jail::egress
