#include "egress/address.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstring>
#include <memory>

namespace jail::egress {
namespace {

constexpr std::array<std::uint8_t, 12> kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

void unmap(Address& address) {
  if (!std::equal(kMapped.begin(), kMapped.end(), address.bytes.begin())) return;
  std::array<std::uint8_t, 16> inner{};
  std::copy(address.bytes.begin() + kMapped.size(), address.bytes.end(), inner.begin());
  address.bytes = inner;
  address.family = AF_INET;
}

}  // namespace

std::optional<Address> address_of(std::string_view text, std::uint16_t port) {
  Address address{.family = text.find(':') == std::string_view::npos ? AF_INET : AF_INET6, .bytes = {}, .port = port};
  if (::inet_pton(address.family, std::string(text).c_str(), address.bytes.data()) != 1) return std::nullopt;
  if (address.family == AF_INET6) unmap(address);
  return address;
}

std::string text_of(const Address& address) {
  char text[INET6_ADDRSTRLEN] = {};
  return ::inet_ntop(address.family, address.bytes.data(), text, sizeof text) == nullptr ? "" : text;
}

std::string shown(const Address& address) {
  const std::string text = text_of(address);
  return (address.family == AF_INET6 ? "[" + text + "]" : text) + ":" + std::to_string(address.port);
}

bool is_loopback(const Address& address) noexcept {
  if (address.family == AF_INET) return address.bytes[0] == 127;
  return std::all_of(address.bytes.begin(), address.bytes.end() - 1, [](std::uint8_t byte) { return byte == 0; }) &&
         address.bytes.back() == 1;
}

SocketAddress to_socket(const Address& address) noexcept {
  SocketAddress socket;
  if (address.family == AF_INET) {
    sockaddr_in in{};
    in.sin_family = AF_INET;
    in.sin_port = htons(address.port);
    std::memcpy(&in.sin_addr, address.bytes.data(), sizeof in.sin_addr);
    std::memcpy(&socket.storage, &in, socket.size = sizeof in);
  } else {
    sockaddr_in6 in{};
    in.sin6_family = AF_INET6;
    in.sin6_port = htons(address.port);
    std::memcpy(&in.sin6_addr, address.bytes.data(), sizeof in.sin6_addr);
    std::memcpy(&socket.storage, &in, socket.size = sizeof in);
  }
  return socket;
}

std::optional<Address> from_socket(const sockaddr_storage& storage) noexcept {
  Address address{.family = storage.ss_family, .bytes = {}, .port = 0};
  if (address.family == AF_INET) {
    sockaddr_in in{};
    std::memcpy(&in, &storage, sizeof in);
    std::memcpy(address.bytes.data(), &in.sin_addr, sizeof in.sin_addr);
    address.port = ntohs(in.sin_port);
    return address;
  }
  if (address.family != AF_INET6) return std::nullopt;
  sockaddr_in6 in{};
  std::memcpy(&in, &storage, sizeof in);
  std::memcpy(address.bytes.data(), &in.sin6_addr, sizeof in.sin6_addr);
  address.port = ntohs(in.sin6_port);
  unmap(address);
  return address;
}

std::vector<Address> own_addresses() {
  ifaddrs* first = nullptr;
  if (::getifaddrs(&first) != 0) return {};
  const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> list(first, ::freeifaddrs);
  std::vector<Address> addresses;
  for (const ifaddrs* one = first; one != nullptr; one = one->ifa_next) {
    const int family = one->ifa_addr == nullptr ? AF_UNSPEC : one->ifa_addr->sa_family;
    if (family != AF_INET && family != AF_INET6) continue;
    sockaddr_storage storage{};
    std::memcpy(&storage, one->ifa_addr, family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6));
    if (const std::optional<Address> address = from_socket(storage)) addresses.push_back(*address);
  }
  return addresses;
}

std::optional<Address> local_address(int socket) noexcept {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  if (::getsockname(socket, reinterpret_cast<sockaddr*>(&storage), &size) != 0) return std::nullopt;
  return from_socket(storage);
}

}  // namespace jail::egress
