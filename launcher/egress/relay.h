// A process that stands between two networks: it holds listening sockets of one and makes connections in the other,
// the one it is in. It looks at no byte of what it passes on; for whom a stream is, another process says (judgement.h).
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "base/fd.h"
#include "egress/address.h"
#include "egress/link.h"
#include "egress/plan.h"
#include "egress/policy.h"

namespace jail::egress {

struct Relayed {
  Fd socket;  // of a stream it listens, of datagrams it says for whom each was (doors.h); non-blocking
  profile::Protocol protocol = profile::Protocol::Tcp;
  std::uint16_t port = 0;
  std::optional<Address> to;  // none: to the address that the accepted socket has on our side, if the policy permits
};

// At once, of either protocol. The next connection is accepted and reset (EMFILE), so that nobody waits for it in vain;
// the next datagram is lost.
inline constexpr std::size_t kMostConnections = 256;
// What a relay needs for that many.
inline constexpr std::size_t kMostRelayDescriptors = 2 * kMostConnections + kMostConnections + kMostDoors + 16;

// Tells each flow that is over by `told`, a SOCK_SEQPACKET socket, without waiting for whom it tells (flow.h). Once
// that has no more to say to us (shutdown(2)) what is left is ended and told. SysError.
// `resolver`: who asks for addresses and says for whom streams are. Without one, a stream that must say so is refused.
void relay(std::vector<Relayed> doors, Policy policy, const Link& resolver, const Fd& told);

}  // namespace jail::egress
