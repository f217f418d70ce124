// sock_diag(7), Linux 3.3: which sockets a network namespace has, asked for one by one. /proc/net/tcp, which says the
// same, takes milliseconds, because it walks through the machine's whole table of connections.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

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

// Of Unix sockets of SOCK_SEQPACKET that listen in the caller's network namespace; the name may be of the abstract
// space, with NUL in front (unix(7)). The owner is the kernel's word (Linux 5.3). SysError; ENOENT also where the
// kernel has no unix_diag.
struct UnixListener {
  std::string name;
  uid_t uid = 0;
};
std::vector<UnixListener> unix_listeners();

}  // namespace jail::sys
