#include "egress/datagram.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace jail::egress {
namespace {

void set(const Fd& socket, int level, int option) noexcept {
  const int on = 1;
  (void)::setsockopt(socket.get(), level, option, &on, sizeof on);
}

// Room for the one message of either family that says which address of ours was meant.
union Control {
  cmsghdr aligned;
  char bytes[CMSG_SPACE(sizeof(in6_pktinfo))];
};

std::optional<Address> meant_by(msghdr& header, std::uint16_t port) {
  for (cmsghdr* part = CMSG_FIRSTHDR(&header); part != nullptr; part = CMSG_NXTHDR(&header, part)) {
    Address meant{.family = AF_INET, .bytes = {}, .port = port};
    if (part->cmsg_level == IPPROTO_IP && part->cmsg_type == IP_PKTINFO) {
      in_pktinfo info{};
      std::memcpy(&info, CMSG_DATA(part), sizeof info);
      std::memcpy(meant.bytes.data(), &info.ipi_addr, sizeof info.ipi_addr);
      return meant;
    }
    if (part->cmsg_level == IPPROTO_IPV6 && part->cmsg_type == IPV6_PKTINFO) {
      in6_pktinfo info{};
      std::memcpy(&info, CMSG_DATA(part), sizeof info);
      meant.family = AF_INET6;
      std::memcpy(meant.bytes.data(), &info.ipi6_addr, sizeof info.ipi6_addr);
      return meant;
    }
  }
  return std::nullopt;
}

// The answer shall come from that address.
template <typename Info>
void say_source(msghdr& header, Control& control, int level, int type, const Info& info) {
  header.msg_control = control.bytes;
  header.msg_controllen = CMSG_SPACE(sizeof info);
  control.aligned.cmsg_level = level;
  control.aligned.cmsg_type = type;
  control.aligned.cmsg_len = CMSG_LEN(sizeof info);
  std::memcpy(CMSG_DATA(&control.aligned), &info, sizeof info);
}

}  // namespace

Fd open_datagram_socket(const Address& at, Side side) noexcept {
  Fd socket(::socket(at.family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return {};
  if (side == Side::Jail) set(socket, IPPROTO_IP, IP_FREEBIND);
  if (side == Side::Jail && at.port == kDnsPort) set(socket, SOL_SOCKET, SO_REUSEPORT);
  if (at.family == AF_INET6) set(socket, IPPROTO_IPV6, IPV6_V6ONLY);
  if (at.family == AF_INET) set(socket, IPPROTO_IP, IP_PKTINFO);
  else set(socket, IPPROTO_IPV6, IPV6_RECVPKTINFO);
  const SocketAddress address = to_socket(at);
  return ::bind(socket.get(), address.get(), address.size) == 0 ? std::move(socket) : Fd();
}

std::optional<Datagram> receive(const Fd& socket, std::uint16_t port, std::span<char> into) noexcept {
  sockaddr_storage from{};
  iovec data{into.data(), into.size()};
  Control control{};
  msghdr header{};
  header.msg_name = &from;
  header.msg_namelen = sizeof from;
  header.msg_iov = &data;
  header.msg_iovlen = 1;
  header.msg_control = control.bytes;
  header.msg_controllen = sizeof control;
  const ssize_t size = TEMP_FAILURE_RETRY(::recvmsg(socket.get(), &header, 0));
  if (size < 0) return std::nullopt;
  const std::optional<Address> sender = from_socket(from);
  const std::optional<Address> meant = meant_by(header, port);
  if (!sender || !meant) return std::nullopt;
  return Datagram{*sender, *meant, static_cast<std::size_t>(size), (header.msg_flags & MSG_TRUNC) == 0};
}

bool send_from(const Fd& socket, const Address& source, const Address& to, std::span<const char> bytes) noexcept {
  SocketAddress address = to_socket(to);
  iovec data{const_cast<char*>(bytes.data()), bytes.size()};
  Control control{};
  msghdr header{};
  header.msg_name = &address.storage;
  header.msg_namelen = address.size;
  header.msg_iov = &data;
  header.msg_iovlen = 1;
  if (source.family == AF_INET) {
    in_pktinfo info{};
    std::memcpy(&info.ipi_spec_dst, source.bytes.data(), sizeof info.ipi_spec_dst);
    say_source(header, control, IPPROTO_IP, IP_PKTINFO, info);
  } else {
    in6_pktinfo info{};
    std::memcpy(&info.ipi6_addr, source.bytes.data(), sizeof info.ipi6_addr);
    say_source(header, control, IPPROTO_IPV6, IPV6_PKTINFO, info);
  }
  return TEMP_FAILURE_RETRY(::sendmsg(socket.get(), &header, MSG_NOSIGNAL | MSG_DONTWAIT)) >= 0;
}

}  // namespace jail::egress
