// sock_diag(7), Linux 3.3: which sockets a network namespace has, asked for one by one. /proc/net/tcp, which says the
// same, takes milliseconds, because it walks through the machine's whole table of connections.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>

#include "base/fd.h"

namespace jail::sys {

// Of the caller's network namespace, whoever asks by it. A raw descriptor, close-on-exec; -1: there is none.
int open_socket_diag() noexcept;

class SocketDiag {
 public:
  explicit SocketDiag(Fd socket = {}) : socket_(std::move(socket)) {}

  // Whether a connection to the loopback address of this family (AF_INET, AF_INET6) and this port would be taken. None:
  // it cannot be told, for there is no socket, or the kernel has no tcp_diag.
  [[nodiscard]] std::optional<bool> has_tcp_listener(int family, std::uint16_t port) noexcept;

 private:
  [[nodiscard]] bool is_answered() noexcept;

  Fd socket_;
  std::optional<bool> answered_;  // whether anything but "no such socket" is to be expected
};

}  // namespace jail::sys
