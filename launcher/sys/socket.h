// Local sockets that carry descriptors (unix(7)), and the loopback interface (netdevice(7)).
#pragma once

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>
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
inline constexpr std::size_t kMostDescriptors = 10;

// False: the other side is gone. What it said before it went may still be there to be received.
bool send_message(const Fd& socket, std::span<const std::byte> message, std::span<const int> descriptors = {});

// The same without waiting; false also where it is not taken now, or cannot be (errno).
bool try_send_message(const Fd& socket, std::span<const std::byte> message, std::span<const int> descriptors = {});

// Those that came along with what recvmsg(2) has received.
std::vector<Fd> take_descriptors(msghdr& header);

struct Message {
  std::vector<std::byte> bytes;  // empty: the other side is gone
  std::vector<Fd> descriptors;
};
// Waits for the next message of at most 4096 bytes.
Message receive_message(const Fd& socket);

// The address of a Unix socket by a path of at most 107 bytes, or by a name of the abstract space, whose first byte is
// NUL (unix(7)); nothing for a longer one.
struct UnixAddress {
  sockaddr_un address{};
  socklen_t size = sizeof address;
};
std::optional<UnixAddress> address_of_path(std::string_view path) noexcept;

// connect(2) to an address as it stands in memory, and to a Unix socket by a path of at most 107 bytes: 0 or errno. May
// wait, as the socket says.
int connect_to(const Fd& socket, std::span<const std::byte> address) noexcept;
int connect_to_path(const Fd& socket, std::string_view path) noexcept;

// SO_SNDTIMEO (socket(7)), by which a connection to a full queue gives up: `piece_ms` while this lives, then as before.
class SendTimeout {
 public:
  SendTimeout(const Fd& socket, int piece_ms) noexcept;
  ~SendTimeout();
  SendTimeout(const SendTimeout&) = delete;
  SendTimeout& operator=(const SendTimeout&) = delete;
  // Whether so many pieces are what the socket itself would have waited; at once where it never waits (O_NONBLOCK).
  [[nodiscard]] bool is_over(int pieces) const noexcept;

 private:
  const Fd& socket_;
  timeval own_{};
  int piece_ms_;
};

// "lo" of the caller's network namespace, up.
void bring_up_loopback();

}  // namespace jail::sys
