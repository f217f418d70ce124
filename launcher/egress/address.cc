#include "egress/address.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "base/fd.h"

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

struct Prefix {
  std::array<std::uint8_t, 16> bytes;
  int bits;
};

constexpr std::array kOfThisLink4{
    Prefix{{0}, 8},
    Prefix{{127}, 8},
    Prefix{{169, 254}, 16},            // link-local, and where clouds tell a machine its credentials
    Prefix{{100, 100, 100, 200}, 32},  // the same at Alibaba's,
    Prefix{{168, 63, 129, 16}, 32},    // Microsoft's,
    Prefix{{192, 0, 0, 192}, 32},      // Oracle's
    Prefix{{224}, 3},
};
constexpr std::array kPrivate4{
    Prefix{{10}, 8},            // RFC 1918
    Prefix{{100, 64}, 10},      // shared by a carrier's customers
    Prefix{{172, 16}, 12},      // RFC 1918
    Prefix{{192, 0, 0}, 24},    // protocol assignments
    Prefix{{192, 88, 99}, 24},  // relays of 6to4
    Prefix{{192, 168}, 16},     // RFC 1918
    Prefix{{198, 18}, 15},      // benchmarks
};

constexpr std::array kOfThisLink6{
    Prefix{{0}, 80},          // unspecified, loopback, and IPv4 in both old spellings
    Prefix{{0xfe, 0x80}, 9},  // link-local and site-local
    Prefix{{0xff}, 8},        // multicast
    Prefix{{0xfd, 0, 0x0e, 0xc2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x02, 0x54}, 128},  // a cloud's, as above: Amazon's,
    Prefix{{0xfd, 0x20, 0, 0xce, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x02, 0x54}, 128},  // Google's
};
constexpr std::array kPrivate6{
    Prefix{{0, 0x64, 0xff, 0x9b, 0, 1}, 48},  // a network's own translation to IPv4
    Prefix{{1}, 64},                          // discarded
    Prefix{{0x20, 0x01, 0}, 23},              // protocol assignments: Teredo, benchmarks, ORCHID
    Prefix{{0xfc}, 7},                        // RFC 4193
};

// Where an IPv6 address holds an IPv4 one that a translator or a tunnel sends to: 64:ff9b::/96 and 2002::/16.
constexpr Prefix kTranslated{{0, 0x64, 0xff, 0x9b}, 96};
constexpr Prefix kTunnelled{{0x20, 0x02}, 16};

bool is_within(const std::array<std::uint8_t, 16>& bytes, const Prefix& prefix) noexcept {
  const auto whole = static_cast<std::ptrdiff_t>(prefix.bits / 8);
  if (!std::equal(bytes.begin(), bytes.begin() + whole, prefix.bytes.begin())) return false;
  const int rest = prefix.bits % 8;
  if (rest == 0) return true;
  const auto at = static_cast<std::size_t>(whole);
  return ((bytes[at] ^ prefix.bytes[at]) >> (8 - rest)) == 0;
}

constexpr int kWhole = 128;  // bits, or more than there are

// The first `bits` of the address are within one of them, whatever follows.
template <std::size_t kCount>
bool is_within_any(const Address& address, int bits, const std::array<Prefix, kCount>& prefixes) noexcept {
  return std::ranges::any_of(
      prefixes, [&](const Prefix& prefix) { return prefix.bits <= bits && is_within(address.bytes, prefix); });
}

// Where it holds one, and behind how many bits.
struct Inner {
  Address address;
  int behind = 0;
};
std::optional<Inner> translated(const Address& address) noexcept {
  if (address.family != AF_INET6) return std::nullopt;
  const bool is_translated = is_within(address.bytes, kTranslated);
  if (!is_translated && !is_within(address.bytes, kTunnelled)) return std::nullopt;
  Inner inner{{}, is_translated ? kTranslated.bits : kTunnelled.bits};
  std::copy_n(address.bytes.begin() + inner.behind / 8, 4, inner.address.bytes.begin());
  return inner;
}

}  // namespace

bool is_within(const Address& address, const Address& prefix, int bits) noexcept {
  return address.family == prefix.family && is_within(address.bytes, Prefix{prefix.bytes, bits});
}

bool is_of_this_link(const Address& address) noexcept { return is_of_this_link(address, kWhole); }

bool is_of_this_link(const Address& network, int bits) noexcept {
  if (const auto inner = translated(network)) return is_of_this_link(inner->address, bits - inner->behind);
  return network.family == AF_INET ? is_within_any(network, bits, kOfThisLink4)
                                   : is_within_any(network, bits, kOfThisLink6);
}

std::vector<Block> blocks_of_this_link(int family) {
  std::vector<Block> blocks;
  if (family == AF_INET) {
    for (const Prefix& prefix : kOfThisLink4) blocks.push_back({{AF_INET, prefix.bytes, 0}, prefix.bits});
    return blocks;
  }
  for (const Prefix& prefix : kOfThisLink6) blocks.push_back({{AF_INET6, prefix.bytes, 0}, prefix.bits});
  for (const Prefix& outer : {kTranslated, kTunnelled})
    for (const Prefix& inner : kOfThisLink4) {
      Block block{{AF_INET6, outer.bytes, 0}, outer.bits + inner.bits};
      std::copy_n(inner.bytes.begin(), 4, block.address.bytes.begin() + outer.bits / 8);
      blocks.push_back(block);
    }
  return blocks;
}

bool is_private(const Address& address) noexcept {
  if (const auto inner = translated(address)) return is_private(inner->address);
  return address.family == AF_INET ? is_within_any(address, kWhole, kPrivate4)
                                   : is_within_any(address, kWhole, kPrivate6);
}

bool is_special(const Address& address) noexcept { return is_of_this_link(address) || is_private(address); }

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

std::span<const std::uint8_t> octets(const Address& address) noexcept {
  return std::span(address.bytes).first(address.family == AF_INET ? 4 : 16);
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

bool has_route(Address address) noexcept {
  constexpr std::uint16_t kDiscard = 9;  // RFC 863; connecting a datagram socket sends nothing
  address.port = kDiscard;
  const Fd socket(::socket(address.family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const SocketAddress to = to_socket(address);
  return socket && ::connect(socket.get(), to.get(), to.size) == 0;
}

std::optional<Address> local_address(int socket) noexcept {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  if (::getsockname(socket, reinterpret_cast<sockaddr*>(&storage), &size) != 0) return std::nullopt;
  return from_socket(storage);
}

}  // namespace jail::egress
