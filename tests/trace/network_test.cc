#include <arpa/inet.h>
#include <sys/un.h>

#include "scene.h"

namespace jail::trace {
namespace {

struct Address {
  sockaddr_storage storage{};
  socklen_t size = 0;
  [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

Address loopback(int family, std::uint16_t port) {
  Address address;
  if (family == AF_INET) {
    auto* in = reinterpret_cast<sockaddr_in*>(&address.storage);
    *in = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}, .sin_zero = {}};
    address.size = sizeof *in;
  } else {
    auto* in = reinterpret_cast<sockaddr_in6*>(&address.storage);
    in->sin6_family = AF_INET6;
    in->sin6_port = htons(port);
    in->sin6_addr = in6addr_loopback;
    address.size = sizeof *in;
  }
  return address;
}

void use_network(int family, std::uint16_t port) {
  const int stream = ::socket(family, SOCK_STREAM, 0), datagram = ::socket(family, SOCK_DGRAM, 0);
  const Address there = loopback(family, port), here = loopback(family, 0);
  (void)!::bind(datagram, here.get(), here.size);
  (void)!::sendto(datagram, "x", 1, 0, there.get(), there.size);
  (void)!::connect(stream, there.get(), there.size);
  ::close(stream);
  ::close(datagram);
}

TEST_F(Trace, Network) {
  if (const std::string why = missing(Family::Network); !why.empty()) GTEST_SKIP() << why;
  const Outcome outcome = watch({.families = {Family::Network},
                                 .what = JAIL_WANT_NETWORK,
                                 .inside =
                                     [] {
                                       use_network(AF_INET, 9);
                                       use_network(AF_INET6, 9);
                                     },
                                 .outside = [] { use_network(AF_INET, 7); }});
  EXPECT_EQ(outcome.told.size() - outcome.told.of<event::NetFlow>().size(), 6U);
  for (const std::string address : {"127.0.0.1", "::1"}) {
    const auto to_it = [&](std::uint16_t port) {
      return [&address, port](const auto& body) { return body.peer == event::Peer{.address = address, .port = port}; };
    };
    EXPECT_NE(outcome.told.find<event::NetConnect>(to_it(9)), nullptr);
    EXPECT_NE(outcome.told.find<event::NetSend>(to_it(9)), nullptr);
    EXPECT_NE(outcome.told.find<event::NetListen>(to_it(0)), nullptr);
  }
}

// An echo of so many bytes on the loopback: a listener, who connects to it, and who is let in.
void echo(std::size_t bytes) {
  const int listener = ::socket(AF_INET, SOCK_STREAM, 0), client = ::socket(AF_INET, SOCK_STREAM, 0);
  Address here = loopback(AF_INET, 0);
  check(::bind(listener, here.get(), here.size), "bind");
  check(::listen(listener, 1), "listen");
  check(::getsockname(listener, reinterpret_cast<sockaddr*>(&here.storage), &here.size), "getsockname");
  check(::connect(client, here.get(), here.size), "connect");
  const int server = ::accept(listener, nullptr, nullptr);
  std::string text(bytes, 'x');
  check(::send(client, text.data(), bytes, 0), "send");
  check(::recv(server, text.data(), bytes, MSG_WAITALL), "recv");
  check(::send(server, text.data(), bytes, 0), "send");
  check(::recv(client, text.data(), bytes, MSG_WAITALL), "recv");
  ::close(listener);
  ::close(client);
  (void)server;  // closed by the end of the process
}

TEST_F(Trace, AddressesThatLandlockDenies) {
  if (const std::string why = missing(Family::Denied); !why.empty()) GTEST_SKIP() << why;
  if (::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION) < 4)
    GTEST_SKIP() << "before Linux 6.7 Landlock knows no addresses";
  const Outcome outcome = watch({.families = {Family::Network, Family::Denied},
                                 .what = JAIL_WANT_NETWORK | JAIL_WANT_FAILED,
                                 .inside = [] {
                                   confine_to("/");
                                   use_network(AF_INET6, 9);
                                 }});
  const auto connects = outcome.told.of<event::NetConnect>();
  ASSERT_EQ(connects.size(), 1U) << "by the end of the question alone";
  EXPECT_EQ(connects[0].first.peer, (event::Peer{.address = "::1", .port = 9}));
  EXPECT_EQ(connects[0].second.verdict, (event::Verdict{.decision = event::Decision::Denied, .error = EACCES}));
}

TEST_F(Trace, FlowsAreToldWhenTheirSocketIsClosed) {
  if (const std::string why = missing(Family::Network); !why.empty()) GTEST_SKIP() << why;
  constexpr std::size_t kBytes = 5'000;
  const Outcome outcome = watch({.families = {Family::Network},
                                 .what = JAIL_WANT_NETWORK,
                                 .inside = [] { echo(kBytes); },
                                 .outside = [] { echo(1); }});
  const auto flows = outcome.told.of<event::NetFlow>();
  ASSERT_EQ(flows.size(), 2U) << "one of the client, one of who was let in, none of the listener";
  const auto& [client, told] = flows[0];
  const event::NetFlow& server = flows[1].first;
  EXPECT_EQ(told.jail_pid, 2);
  EXPECT_FALSE(told.verdict);
  EXPECT_EQ(client.peer.port, server.local_port);
  EXPECT_EQ(server.peer.port, client.local_port);
  for (const event::NetFlow& flow : {client, server}) {
    EXPECT_EQ(flow.protocol, "tcp");
    EXPECT_EQ(flow.peer.address, "127.0.0.1");
    EXPECT_GT(flow.bytes_sent, kBytes);
    EXPECT_LT(flow.bytes_sent, 2 * kBytes);
    EXPECT_GT(flow.bytes_received, kBytes);
    EXPECT_GE(flow.packets_sent, 2U);
  }
}

// The first few of the other sides are told one by one, what is beyond them together.
TEST_F(Trace, FlowsOfOneSocketToManyAreAllCounted) {
  if (const std::string why = missing(Family::Network); !why.empty()) GTEST_SKIP() << why;
  constexpr std::uint16_t kSides = 6, kFirst = 20'001;
  const Outcome outcome = watch({.families = {Family::Network}, .what = JAIL_WANT_NETWORK, .inside = [] {
    const int socket = ::socket(AF_INET6, SOCK_DGRAM, 0);
    for (std::uint16_t side = 0; side < kSides; ++side) {
      const Address there = loopback(AF_INET6, kFirst + side);
      check(::sendto(socket, "text", 4, 0, there.get(), there.size), "sendto");
    }
  }});
  std::uint64_t packets = 0, named = 0;
  for (const auto& [flow, told] : outcome.told.of<event::NetFlow>()) {
    EXPECT_EQ(flow.protocol, "udp");
    packets += flow.packets_sent;
    named += flow.peer.address == "::1" ? 1 : 0;
    EXPECT_EQ(flow.packets_sent, flow.peer == event::Peer{} ? kSides - 3U : 1U);
  }
  EXPECT_EQ(named, 3U);
  EXPECT_EQ(packets, kSides);
}

void connect_to(const std::string& name) {
  sockaddr_un there{.sun_family = AF_UNIX, .sun_path = {}};
  name.copy(there.sun_path, sizeof there.sun_path);
  const int socket = ::socket(AF_UNIX, SOCK_STREAM, 0);
  (void)::connect(socket, reinterpret_cast<const sockaddr*>(&there),
                  static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size()));
  ::close(socket);
}

TEST_F(Trace, NamesOfUnixSockets) {
  if (const std::string why = missing(Family::NetworkUnix); !why.empty()) GTEST_SKIP() << why;
  const std::string longest(sizeof sockaddr_un::sun_path, 'n');
  const Outcome outcome = watch({.families = {Family::NetworkUnix},
                                 .what = JAIL_WANT_NETWORK,
                                 .inside =
                                     [&] {
                                       connect_to("/run/none.sock");
                                       connect_to(std::string("\0abstract", 9));
                                       connect_to(longest);
                                     },
                                 .outside = [] { connect_to("/run/stranger.sock"); }});
  std::vector<std::string> names;
  for (const auto& [connect, told] : outcome.told.of<event::NetConnect>()) {
    names.push_back(connect.peer.path);
    EXPECT_EQ(told.verdict, (event::Verdict{.predicted = true}));
  }
  EXPECT_EQ(names, (std::vector<std::string>{"/run/none.sock", "@abstract", longest}));
}

}  // namespace
}  // namespace jail::trace
