// Which port of the loopback is taken, as the kernel itself would find out for a connection.
#include "sys/socket_diag.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace jail::sys {
namespace {

struct Listening {
  Fd socket;
  std::uint16_t port = 0;
};

Listening listen_on(int family) {
  Listening made{Fd(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0)), 0};
  sockaddr_in6 address{};
  address.sin6_family = static_cast<sa_family_t>(family);
  socklen_t length = sizeof address;  // a sockaddr_in begins alike, and an address of zeros is any
  if (family == AF_INET) reinterpret_cast<sockaddr_in&>(address).sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(::bind(made.socket.get(), reinterpret_cast<sockaddr*>(&address), length), 0);
  EXPECT_EQ(::listen(made.socket.get(), 1), 0);
  EXPECT_EQ(::getsockname(made.socket.get(), reinterpret_cast<sockaddr*>(&address), &length), 0);
  made.port = ntohs(address.sin6_port);
  return made;
}

class SocketDiagOfThisMachine : public testing::Test {
 protected:
  void SetUp() override {
    if (!sockets.has_tcp_listener(AF_INET, 1)) GTEST_SKIP() << "this kernel has no tcp_diag";
  }
  SocketDiag sockets{Fd(open_socket_diag())};
};

TEST_F(SocketDiagOfThisMachine, FindsWhoListensAndNobodyElse) {
  Listening server = listen_on(AF_INET);
  EXPECT_EQ(sockets.has_tcp_listener(AF_INET, server.port), true);
  EXPECT_EQ(sockets.has_tcp_listener(AF_INET6, server.port), false);
  server.socket.reset();
  EXPECT_EQ(sockets.has_tcp_listener(AF_INET, server.port), false);
}

TEST_F(SocketDiagOfThisMachine, FindsWhoListensForBothFamilies) {
  const Listening server = listen_on(AF_INET6);
  EXPECT_EQ(sockets.has_tcp_listener(AF_INET, server.port), true);
  EXPECT_EQ(sockets.has_tcp_listener(AF_INET6, server.port), true);
}

TEST(SocketDiag, WithoutASocketCannotTell) { EXPECT_EQ(SocketDiag().has_tcp_listener(AF_INET, 1), std::nullopt); }

}  // namespace
}  // namespace jail::sys
