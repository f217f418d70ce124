// Socket addresses, whole and cut short.
#include "monitor/peer.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstring>

namespace jail::monitor {
namespace {

template <typename Raw>
Address decoded(const Raw& raw, std::size_t size = sizeof(Raw)) {
  return decode_address(std::as_bytes(std::span(&raw, 1)).first(size));
}

Address v4(const char* text) {
  sockaddr_in raw{.sin_family = AF_INET, .sin_port = htons(443), .sin_addr = {}, .sin_zero = {}};
  ::inet_pton(AF_INET, text, &raw.sin_addr);
  return decoded(raw);
}

Address v6(const char* text) {
  sockaddr_in6 raw{};
  raw.sin6_family = AF_INET6;
  raw.sin6_port = htons(53);
  ::inet_pton(AF_INET6, text, &raw.sin6_addr);
  return decoded(raw);
}

TEST(Peer, OfTheInternet) {
  EXPECT_EQ(v4("192.0.2.7").peer, (event::Peer{"192.0.2.7", 443, "", {}}));
  EXPECT_EQ(v4("192.0.2.7").reach, Reach::Abroad);
  for (const char* loopback : {"127.0.0.1", "127.255.255.254", "0.0.0.0"})
    EXPECT_EQ(v4(loopback).reach, Reach::Loopback) << loopback;
  for (const char* loopback : {"::1", "::", "::ffff:127.0.0.1"})
    EXPECT_EQ(v6(loopback).reach, Reach::Loopback) << loopback;
  for (const char* abroad : {"2001:db8::1", "::ffff:192.0.2.7", "fe80::1"})
    EXPECT_EQ(v6(abroad).reach, Reach::Abroad) << abroad;
}

TEST(Peer, OfThisMachine) {
  sockaddr_un raw{};
  raw.sun_family = AF_UNIX;
  std::strcpy(raw.sun_path, "/run/docker.sock");
  EXPECT_EQ(decoded(raw).peer.path, "/run/docker.sock");
  EXPECT_EQ(decoded(raw).reach, Reach::Path);
  std::memset(raw.sun_path, 'x', sizeof raw.sun_path);  // no terminator
  EXPECT_EQ(decoded(raw).peer.path, std::string(sizeof raw.sun_path, 'x'));
  raw.sun_path[0] = '\0';
  EXPECT_EQ(decoded(raw, offsetof(sockaddr_un, sun_path) + 4).peer.path, "@xxx");
  EXPECT_EQ(decoded(raw, offsetof(sockaddr_un, sun_path) + 4).reach, Reach::Abstract);
  EXPECT_EQ(decoded(raw, offsetof(sockaddr_un, sun_path)).reach, Reach::Nobody);  // unnamed
}

TEST(Peer, OfOtherFamilies) {
  const sa_family_t nobody = AF_UNSPEC, netlink = AF_NETLINK, vsock = 40;
  EXPECT_EQ(decoded(nobody).reach, Reach::Nobody);
  EXPECT_EQ(decoded(netlink).reach, Reach::Nobody);
  EXPECT_EQ(decoded(vsock).reach, Reach::Other);
  EXPECT_EQ(decoded(vsock).peer.family, 40);
  EXPECT_EQ(decode_address({}).reach, Reach::Nobody);
}

TEST(Peer, AnyBytesAtAnyLengthAreSomething) {
  std::array<std::byte, 128> bytes;
  for (unsigned family = 0; family < 64; ++family) {
    bytes.fill(std::byte{0xff});
    bytes[0] = static_cast<std::byte>(family), bytes[1] = std::byte{0};
    for (std::size_t size = 0; size <= bytes.size(); ++size) (void)decode_address(std::span(bytes).first(size));
  }
}

}  // namespace
}  // namespace jail::monitor
