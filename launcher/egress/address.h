// An Internet address with a port, as sockets have it (ip(7), ipv6(7)). An IPv4 address within IPv6 is IPv4 here.
#pragma once

#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace jail::egress {

inline constexpr std::uint16_t kDnsPort = 53;

struct Address {
  int family = AF_INET;                  // or AF_INET6
  std::array<std::uint8_t, 16> bytes{};  // in network order; of IPv4 the first four, the others 0
  std::uint16_t port = 0;                // in host order

  bool operator==(const Address&) const = default;
};

// Nothing for text that inet_pton(3) does not take.
std::optional<Address> address_of(std::string_view text, std::uint16_t port);

// "127.0.0.1", "2001:db8::1": without the port.
std::string text_of(const Address& address);

// As many bytes as its family has.
std::span<const std::uint8_t> octets(const Address& address) noexcept;

// With it: "127.0.0.1:80", "[::1]:80".
std::string shown(const Address& address);

// 127.0.0.0/8 and ::1.
bool is_loopback(const Address& address) noexcept;

// The first `bits` of both are alike. False where the families differ.
bool is_within(const Address& address, const Address& prefix, int bits) noexcept;

// Of IANA's special-purpose registries (RFC 6890), what leads to this host or its link: loopback, link-local,
// multicast, unspecified, reserved. An IPv6 address through which a translator or a tunnel sends to an IPv4 one is as
// that is. What is kept for documentation (RFC 5737, RFC 3849) is ordinary here: it leads nowhere.
bool is_of_this_link(const Address& address) noexcept;
// Of a whole network: nothing of it lies elsewhere. 0.0.0.0/1 has this host's loopback in it, and is not meant for it.
bool is_of_this_link(const Address& network, int bits) noexcept;
// The same as a list, of one family.
struct Block {
  Address address;
  int bits = 0;

  bool operator==(const Block&) const = default;
};
std::vector<Block> blocks_of_this_link(int family);
// And what leads into somebody's own network: private (RFC 1918, RFC 4193), shared (RFC 6598), benchmarks, tunnels.
bool is_private(const Address& address) noexcept;
// Either: no name of the public network has a reason to point there.
bool is_special(const Address& address) noexcept;

// As bind(2) and connect(2) take it.
struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;

  [[nodiscard]] const sockaddr* get() const noexcept { return reinterpret_cast<const sockaddr*>(&storage); }
};
SocketAddress to_socket(const Address& address) noexcept;
std::optional<Address> from_socket(const sockaddr_storage& storage) noexcept;

// Of every interface of the caller's network (getifaddrs(3)), with port 0.
std::vector<Address> own_addresses();

// Whether this host has a way there at all: a program that is given addresses of both families expects one it cannot
// reach to fail when it connects, which here it would not (connection.h).
bool has_route(Address address) noexcept;

// Our own side of a socket.
std::optional<Address> local_address(int socket) noexcept;

}  // namespace jail::egress
