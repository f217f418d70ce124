// The allow list of sockets on the running kernel: every family and type, the protocols that matter, and what is done
// with a socket that is allowed.
#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "seccomp_filtered.h"

namespace jail::confine::seccomp {
namespace {

using test::errno_of;
using test::expect_errno;
using test::under_filter;
using test::unfiltered;
using test::Who;

constexpr int kMptcp = 262;
constexpr int kProtocols[] = {0,  1,  2,  3,  6,   9,   15,  16,  17,  21,  33,    41,
                              47, 50, 58, 89, 115, 132, 136, 143, 255, 256, kMptcp};

bool is_allowed(int family, int type, int protocol) {
  const bool internet = family == AF_INET || family == AF_INET6;
  if (internet && type == SOCK_STREAM) return protocol == 0 || protocol == IPPROTO_TCP;
  if (internet && type == SOCK_DGRAM) return protocol == 0 || protocol == IPPROTO_UDP;
  return family == AF_NETLINK && (type == SOCK_RAW || type == SOCK_DGRAM) && protocol == NETLINK_ROUTE;
}

int make_socket(long family, long type, long protocol) {
  const long made = ::syscall(SYS_socket, family, type, protocol);
  if (made < 0) return errno;
  ::close(static_cast<int>(made));
  return 0;
}

std::string makes_only_allowed_sockets() {
  std::string wrong;
  for (int family = 0; family < 64; ++family)
    for (int type = 1; type <= 10; ++type)
      for (const int protocol : kProtocols)
        for (const long garbage : {0L, 0x100000000L}) {
          const int error = make_socket(family | garbage, type | garbage, protocol | garbage);
          if ((error == 0) != is_allowed(family, type, protocol))
            wrong += "(" + std::to_string(family) + ", " + std::to_string(type) + ", " + std::to_string(protocol) +
                     "): " + errno_name(error) + "\n";
        }
  return wrong;
}

TEST(SeccompSockets, OnlyTheAllowListIsMadeAsTester) { EXPECT_EQ(under_filter(makes_only_allowed_sockets), ""); }
TEST(SeccompSockets, OnlyTheAllowListIsMadeAsIs) { EXPECT_EQ(under_filter(makes_only_allowed_sockets, Who::AsIs), ""); }

struct Refused {
  const char* what;
  int family;
  int type;
  int protocol;
  int error;
};
const Refused kRefused[] = {
    {"mptcp", AF_INET, SOCK_STREAM, kMptcp, EPROTONOSUPPORT},
    {"mptcp over IPv6", AF_INET6, SOCK_STREAM, kMptcp, EPROTONOSUPPORT},
    {"raw", AF_INET, SOCK_RAW, IPPROTO_ICMP, EPERM},
    {"packet", AF_PACKET, SOCK_RAW, 0, EAFNOSUPPORT},
    {"old packet", AF_INET, SOCK_PACKET, 0, EPERM},
    {"vsock", AF_VSOCK, SOCK_STREAM, 0, EAFNOSUPPORT},
    {"alg", AF_ALG, SOCK_SEQPACKET, 0, EAFNOSUPPORT},
    {"key", AF_KEY, SOCK_RAW, 2, EAFNOSUPPORT},
    {"netlink audit", AF_NETLINK, SOCK_RAW, NETLINK_AUDIT, EPROTONOSUPPORT},
    {"netlink netfilter", AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER, EPROTONOSUPPORT},
    {"netlink uevent", AF_NETLINK, SOCK_DGRAM, NETLINK_KOBJECT_UEVENT, EPROTONOSUPPORT},
    {"unix", AF_UNIX, SOCK_STREAM, 0, EPERM},
};

// The control: at least these can be made here, as this user, when nothing filters.
TEST(SeccompSockets, WhatIsRefusedCouldBeMade) {
  int possible = 0;
  for (const Refused& one : kRefused) {
    const auto make = [&] { return make_socket(one.family, one.type, one.protocol); };
    const bool could = unfiltered([&] { return expect_errno(one.what, make(), 0); }, Who::AsIs).empty();
    possible += could ? 1 : 0;
    EXPECT_EQ(under_filter([&] { return expect_errno(one.what, make(), one.error); }, Who::AsIs), "");
    if (!could) std::cout << one.what << " cannot be made on this kernel by this user even without the filter\n";
  }
  EXPECT_GE(possible, 3);
}

std::string pairs(int type, int wanted) {
  int ends[2];
  return expect_errno("socketpair of type " + std::to_string(type), errno_of(SYS_socketpair, AF_UNIX, type, 0, ends),
                      wanted);
}

TEST(SeccompSockets, OnlyPairsThatStayPairsAreMade) {
  EXPECT_EQ(under_filter([] {
              return pairs(SOCK_STREAM, 0) + pairs(SOCK_SEQPACKET | SOCK_CLOEXEC, 0) + pairs(SOCK_DGRAM, EPERM) +
                     pairs(SOCK_RAW, EPERM);
            }),
            "");
  EXPECT_EQ(unfiltered([] { return pairs(SOCK_DGRAM, 0) + pairs(SOCK_RAW, 0); }), "");
  EXPECT_EQ(under_filter(plan({}, test::with_unix(UnixSockets::Allowed)), [] { return pairs(SOCK_DGRAM, 0); }), "");
}

// A socket on a path, as some service of the host has it.
class PathSocket {
 public:
  explicit PathSocket(int type) : type_(type), listener_(::socket(AF_UNIX, type, 0)) {
    const std::string path = "/tmp/jail-seccomp-" + std::to_string(::getpid()) + "-" + std::to_string(type);
    path.copy(address_.sun_path, sizeof address_.sun_path - 1);
    (void)::unlink(address_.sun_path);
    check(::bind(listener_, reinterpret_cast<const sockaddr*>(&address_), sizeof address_), "bind", path);
    if (type != SOCK_DGRAM) check(::listen(listener_, 1), "listen", path);
    check(::chmod(address_.sun_path, 0666), "chmod", path);
  }
  PathSocket(const PathSocket&) = delete;
  ~PathSocket() {
    ::close(listener_);
    (void)::unlink(address_.sun_path);
  }

  // Points one end of a fresh pair at the path; 0 when that works.
  int reached_by_a_pair() const {
    int ends[2];
    if (::socketpair(AF_UNIX, type_, 0, ends) != 0) return errno;
    return ::connect(ends[0], reinterpret_cast<const sockaddr*>(&address_), sizeof address_) == 0 ? 0 : errno;
  }

 private:
  int type_;
  int listener_;
  sockaddr_un address_{.sun_family = AF_UNIX, .sun_path = {}};
};

// Why datagram pairs are refused: they reach what socket(AF_UNIX) was refused for. Stream and seqpacket pairs do not.
TEST(SeccompSockets, ADatagramPairWouldReachAPathAndTheOthersCannot) {
  const PathSocket datagram(SOCK_DGRAM);
  const PathSocket stream(SOCK_STREAM);
  const PathSocket seqpacket(SOCK_SEQPACKET);
  EXPECT_EQ(unfiltered([&] {
              return expect_errno("datagram", datagram.reached_by_a_pair(), 0) +
                     expect_errno("stream", stream.reached_by_a_pair(), EISCONN) +
                     expect_errno("seqpacket", seqpacket.reached_by_a_pair(), EISCONN);
            }),
            "");
  EXPECT_EQ(under_filter([&] { return expect_errno("datagram", datagram.reached_by_a_pair(), EPERM); }), "");
}

// A listener on loopback, and the ways to connect to it within a send.
class Loopback {
 public:
  Loopback() : listener_(::socket(AF_INET, SOCK_STREAM, 0)) {
    address_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address_;
    check(::bind(listener_, reinterpret_cast<const sockaddr*>(&address_), size), "bind");
    check(::listen(listener_, 8), "listen");
    check(::getsockname(listener_, reinterpret_cast<sockaddr*>(&address_), &size), "getsockname");
  }
  Loopback(const Loopback&) = delete;
  ~Loopback() { ::close(listener_); }

  std::string fast_open_says(int wanted) {
    const auto fresh = [] { return ::socket(AF_INET, SOCK_STREAM, 0); };
    mmsghdr message{};
    iovec bytes{buffer_, 1};
    message.msg_hdr.msg_name = &address_;
    message.msg_hdr.msg_namelen = sizeof address_;
    message.msg_hdr.msg_iov = &bytes;
    message.msg_hdr.msg_iovlen = 1;
    return expect_errno("sendto", errno_of(SYS_sendto, fresh(), buffer_, 1, MSG_FASTOPEN, &address_, sizeof address_),
                        wanted) +
           expect_errno("sendmsg", errno_of(SYS_sendmsg, fresh(), &message.msg_hdr, MSG_FASTOPEN), wanted) +
           expect_errno("sendmmsg", errno_of(SYS_sendmmsg, fresh(), &message, 1, MSG_FASTOPEN), wanted);
  }

  std::string connects_and_sends() {
    const int made = ::socket(AF_INET, SOCK_STREAM, 0);
    if (::connect(made, reinterpret_cast<const sockaddr*>(&address_), sizeof address_) != 0) return "connect";
    return ::send(made, buffer_, 1, MSG_NOSIGNAL) == 1 ? "" : "send";
  }

 private:
  int listener_;
  sockaddr_in address_{.sin_family = AF_INET, .sin_port = 0, .sin_addr = {}, .sin_zero = {}};
  char buffer_[1] = {'x'};
};

TEST(SeccompSockets, FastOpenIsRefusedAndConnectIsNot) {
  Loopback loopback;
  EXPECT_EQ(unfiltered([&] { return loopback.fast_open_says(0); }), "");
  EXPECT_EQ(under_filter([&] { return loopback.fast_open_says(EOPNOTSUPP) + loopback.connects_and_sends(); }), "");
}

TEST(SeccompSockets, NoUpperLayerProtocolIsAttached) {
  const auto attach = [] {
    const int made = ::socket(AF_INET, SOCK_STREAM, 0);
    return errno_of(SYS_setsockopt, made, IPPROTO_TCP, TCP_ULP, "nothing", 7);
  };
  EXPECT_EQ(unfiltered([&] { return expect_errno("TCP_ULP", attach(), ENOENT); }), "");
  EXPECT_EQ(under_filter([&] { return expect_errno("TCP_ULP", attach(), EPERM); }), "");
}

}  // namespace
}  // namespace jail::confine::seccomp
