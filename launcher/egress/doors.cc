#include "egress/doors.h"

#include <netinet/in.h>

#include <cerrno>

#include "base/error.h"

namespace jail::egress {
namespace {

constexpr int kQueue = 128;

void set(const Fd& socket, int level, int option) noexcept {
  const int on = 1;
  (void)::setsockopt(socket.get(), level, option, &on, sizeof on);
}

// Empty, and errno.
Fd open_door(const Door& door) {
  const bool is_stream = door.protocol == profile::Protocol::Tcp;
  const int type = is_stream ? SOCK_STREAM : SOCK_DGRAM;
  Fd socket(::socket(door.at.family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  set(socket, SOL_SOCKET, SO_REUSEADDR);
  if (door.at.family == AF_INET6) set(socket, IPPROTO_IPV6, IPV6_V6ONLY);
  // A datagram has to say for which address it was.
  if (!is_stream && door.at.family == AF_INET) set(socket, IPPROTO_IP, IP_PKTINFO);
  if (!is_stream && door.at.family == AF_INET6) {
    set(socket, IPPROTO_IPV6, IPV6_RECVPKTINFO);
    set(socket, IPPROTO_IPV6, IPV6_FREEBIND);  // and be answered from one that no interface has (Linux 4.15)
  }
  const SocketAddress address = to_socket(door.at);
  const bool is_bound = socket && ::bind(socket.get(), address.get(), address.size) == 0;
  return is_bound && (!is_stream || ::listen(socket.get(), kQueue) == 0) ? std::move(socket) : Fd();
}

}  // namespace

Opened try_open_doors(const std::vector<Door>& doors) {
  Opened opened;
  for (const Door& door : doors) {
    Fd socket = open_door(door);
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

Address within(const Door& in) { return *address_of(in.at.family == AF_INET ? "127.0.0.1" : "::1", in.at.port); }

}  // namespace jail::egress
