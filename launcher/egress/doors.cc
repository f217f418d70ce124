#include "egress/doors.h"

#include <netinet/in.h>

#include <cerrno>

#include "base/error.h"

namespace jail::egress {
namespace {

constexpr int kQueue = 128;

std::string shown(const Address& address) {
  const std::string text = text_of(address);
  return (address.family == AF_INET6 ? "[" + text + "]" : text) + ":" + std::to_string(address.port);
}

// Empty, and errno.
Fd open_door(const Address& at) {
  Fd socket(::socket(at.family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int on = 1;
  (void)::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (at.family == AF_INET6) (void)::setsockopt(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  const SocketAddress address = to_socket(at);
  const bool listens =
      socket && ::bind(socket.get(), address.get(), address.size) == 0 && ::listen(socket.get(), kQueue) == 0;
  return listens ? std::move(socket) : Fd();
}

}  // namespace

Opened try_open_doors(const std::vector<Door>& doors) {
  Opened opened;
  for (const Door& door : doors) {
    Fd socket = open_door(door.at);
    if (!socket) return {.sockets = {}, .error = errno, .number = opened.sockets.size(), .where = shown(door.at)};
    opened.sockets.push_back(std::move(socket));
  }
  return opened;
}

std::vector<Fd> open_doors(const std::vector<Door>& doors) {
  Opened opened = try_open_doors(doors);
  if (opened.error != 0) throw SysError(opened.error, "listen", opened.where);
  return std::move(opened.sockets);
}

Address within(const Door& in) {
  return *address_of(in.at.family == AF_INET ? "127.0.0.1" : "::1", in.at.port);
}

}  // namespace jail::egress
