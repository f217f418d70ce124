#include "egress/doors.h"

#include <netinet/in.h>

#include <cerrno>
#include <utility>

#include "base/error.h"

namespace jail::egress {
namespace {

constexpr int kQueue = 128;

void set(const Fd& socket, int level, int option) noexcept {
  const int on = 1;
  (void)::setsockopt(socket.get(), level, option, &on, sizeof on);
}

}  // namespace

Fd open_listener(const Address& at, Side side) noexcept {
  Fd socket(::socket(at.family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  set(socket, SOL_SOCKET, SO_REUSEADDR);
  if (at.family == AF_INET6) set(socket, IPPROTO_IPV6, IPV6_V6ONLY);
  if (side == Side::Jail && at.family == AF_INET6) set(socket, IPPROTO_IPV6, IPV6_FREEBIND);
  if (side == Side::Jail && at.port == kDnsPort) set(socket, SOL_SOCKET, SO_REUSEPORT);
  const SocketAddress address = to_socket(at);
  const bool listens =
      socket && ::bind(socket.get(), address.get(), address.size) == 0 && ::listen(socket.get(), kQueue) == 0;
  return listens ? std::move(socket) : Fd();
}

Opened try_open_doors(const std::vector<Door>& doors, Side side) {
  Opened opened;
  for (const Door& door : doors) {
    const auto open = door.protocol == profile::Protocol::Tcp ? open_listener : open_datagram_socket;
    Fd socket = open(door.at, side);
    if (!socket) return {.sockets = {}, .error = errno, .number = opened.sockets.size(), .where = shown(door.at)};
    opened.sockets.push_back(std::move(socket));
  }
  return opened;
}

std::vector<Fd> open_doors(const std::vector<Door>& doors) {
  Opened opened = try_open_doors(doors, Side::Jail);
  if (opened.error != 0) throw SysError(opened.error, "listen", opened.where);
  return std::move(opened.sockets);
}

}  // namespace jail::egress
