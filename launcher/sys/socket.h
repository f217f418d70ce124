// Local sockets that carry descriptors (unix(7)), and the loopback interface (netdevice(7)).
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "base/fd.h"

namespace jail::sys {

struct SocketPair {
  Fd ours;
  Fd theirs;
};
// SOCK_SEQPACKET: one message is one record; an end of file tells that the other side is gone.
SocketPair socket_pair();

// At most kMostDescriptors travel with one message.
inline constexpr std::size_t kMostDescriptors = 8;

// False: the other side is gone. What it said before it went may still be there to be received.
bool send_message(const Fd& socket, std::span<const std::byte> message, std::span<const int> descriptors = {});

struct Message {
  std::vector<std::byte> bytes;  // empty: the other side is gone
  std::vector<Fd> descriptors;
};
// Waits for the next message of at most 4096 bytes.
Message receive_message(const Fd& socket);

// "lo" of the caller's network namespace, up.
void bring_up_loopback();

}  // namespace jail::sys
