// A process that stands between two networks: it holds listening sockets of one and makes connections in the other,
// the one it is in. It looks at no byte of what it passes on.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "base/fd.h"
#include "egress/address.h"
#include "egress/policy.h"

namespace jail::egress {

struct Relayed {
  Fd listener;                // non-blocking
  std::optional<Address> to;  // none: to the address that the accepted socket has on our side, if the policy permits
};

// At once; the next one is accepted and reset (EMFILE), so that nobody waits for it in vain.
inline constexpr std::size_t kMostConnections = 256;

// Tells each flow that is over by `told`, a SOCK_SEQPACKET socket, without waiting for whom it tells (flow.h). Once
// that has no more to say to us (shutdown(2)) what is left is ended and told. SysError.
void relay(std::vector<Relayed> doors, Policy policy, const Fd& told);

}  // namespace jail::egress
