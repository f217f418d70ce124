#include "monitor/peer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cstring>
#include <string>

namespace jail::monitor {
namespace {

template <typename Address>
Address as(std::span<const std::byte> bytes) {
  Address address{};
  std::memcpy(&address, bytes.data(), std::min(bytes.size(), sizeof address));
  return address;
}

Address decode_v4(std::span<const std::byte> bytes) {
  const auto address = as<sockaddr_in>(bytes);
  const std::uint32_t host = ntohl(address.sin_addr.s_addr);
  char text[INET_ADDRSTRLEN] = "";
  ::inet_ntop(AF_INET, &address.sin_addr, text, sizeof text);
  Address decoded;
  decoded.peer.address = text;
  decoded.peer.port = ntohs(address.sin_port);
  decoded.reach = host >> 24 == IN_LOOPBACKNET || host == INADDR_ANY ? Reach::Loopback : Reach::Abroad;
  return decoded;
}

bool is_loopback(const in6_addr& address) {
  if (IN6_IS_ADDR_LOOPBACK(&address) || IN6_IS_ADDR_UNSPECIFIED(&address)) return true;
  return IN6_IS_ADDR_V4MAPPED(&address) && (address.s6_addr[12] == IN_LOOPBACKNET);
}

Address decode_v6(std::span<const std::byte> bytes) {
  const auto address = as<sockaddr_in6>(bytes);
  char text[INET6_ADDRSTRLEN] = "";
  ::inet_ntop(AF_INET6, &address.sin6_addr, text, sizeof text);
  Address decoded;
  decoded.peer.address = text;
  decoded.peer.port = ntohs(address.sin6_port);
  decoded.reach = is_loopback(address.sin6_addr) ? Reach::Loopback : Reach::Abroad;
  return decoded;
}

Address decode_unix(std::span<const std::byte> bytes) {
  Address decoded;
  if (bytes.size() <= offsetof(sockaddr_un, sun_path)) return decoded;
  const auto address = as<sockaddr_un>(bytes);
  const std::size_t room = std::min(bytes.size(), sizeof address) - offsetof(sockaddr_un, sun_path);
  if (address.sun_path[0] == '\0') {
    decoded.peer.path = "@" + std::string(address.sun_path + 1, room - 1);
    decoded.reach = Reach::Abstract;
  } else {
    decoded.peer.path.assign(address.sun_path, ::strnlen(address.sun_path, room));
    decoded.reach = Reach::Path;
  }
  return decoded;
}

}  // namespace

Address decode_address(std::span<const std::byte> bytes) {
  Address decoded;
  if (bytes.size() < sizeof(sa_family_t)) return decoded;
  const auto family = as<sa_family_t>(bytes);
  if (family == AF_INET) return decode_v4(bytes);
  if (family == AF_INET6) return decode_v6(bytes);
  if (family == AF_UNIX) return decode_unix(bytes);
  decoded.peer.family = family;
  decoded.reach = family == AF_UNSPEC || family == AF_NETLINK ? Reach::Nobody : Reach::Other;
  return decoded;
}

}  // namespace jail::monitor
