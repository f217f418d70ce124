// Sockets of every kind. Nothing leaves the machine: the addresses abroad are those of documentation (RFC 5737, RFC
// 3849), and the jail's network is its own.
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/vm_sockets.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include "blindspot/acting.h"

namespace jail::blindspot {
namespace {

constexpr int kMptcp = 262;
constexpr const char* kAbroad = "192.0.2.1";
constexpr const char* kLoopback = "127.0.0.1";

constexpr Evidence connected(std::string_view call, std::string_view peer) { return {"net.connect", call, peer}; }
constexpr Evidence sent(std::string_view call, std::string_view peer) { return {"net.send", call, peer}; }
constexpr Evidence listening(std::string_view call, std::string_view own) { return {"net.listen", call, own}; }
constexpr Evidence denied(std::string_view call) { return {"syscall.denied", call, ""}; }

Outcome connect_to(int socket, Address address) {
  return socket < 0 ? missing() : try_call(SYS_connect, socket, address.get(), address.length);
}

Outcome bind_to(int socket, Address address) {
  return socket < 0 ? missing() : try_call(SYS_bind, socket, address.get(), address.length);
}

Outcome only_socket(int family, int type, int protocol) {
  return {.error = open_socket(family, type, protocol) < 0 ? errno : 0};
}

// Somebody who listens on the jail's loopback; 0: missing.
int listener(std::uint16_t port) {
  const int socket = open_socket(AF_INET, SOCK_STREAM);
  if (bind_to(socket, v4(kLoopback, port)).error != 0 || call(SYS_listen, socket, 1) != 0) return -1;
  return socket;
}

Outcome connect_on_loopback(const Scene&) {
  if (listener(4001) < 0) return missing();
  return connect_to(open_socket(AF_INET, SOCK_STREAM), v4(kLoopback, 4001));
}

Outcome accept_one(long number, std::uint16_t port) {
  const int server = listener(port), client = open_socket(AF_INET, SOCK_STREAM);
  if (server < 0 || connect_to(client, v4(kLoopback, port)).error != 0) return missing();
  return try_call(number, server, nullptr, nullptr, 0);
}

Outcome listen_bound(const Scene&) {
  const int socket = open_socket(AF_INET, SOCK_STREAM);
  return bind_to(socket, v4(kLoopback, 4003)).error != 0 ? missing() : try_call(SYS_listen, socket, 1);
}

// The kernel then chooses the port.
Outcome listen_unbound(const Scene&) {
  const int socket = open_socket(AF_INET, SOCK_STREAM);
  return socket < 0 ? missing() : try_call(SYS_listen, socket, 1);
}

Outcome send_to(int socket, Address address, int flags) {
  return socket < 0 ? missing() : try_call(SYS_sendto, socket, "x", 1, flags, address.get(), address.length);
}

Outcome send_message(const Scene&) {
  Address address = v4(kAbroad, 9);
  iovec bytes{const_cast<char*>("x"), 1};
  msghdr message{};
  message.msg_name = address.get();
  message.msg_namelen = address.length;
  message.msg_iov = &bytes;
  message.msg_iovlen = 1;
  const int socket = open_socket(AF_INET, SOCK_DGRAM);
  return socket < 0 ? missing() : try_call(SYS_sendmsg, socket, &message, 0);
}

// Several messages by one call to somebody on the loopback who takes them; the last one has an address of its own.
Outcome send_messages(unsigned count, const char* last) {
  const int taker = open_socket(AF_INET, SOCK_DGRAM), socket = open_socket(AF_INET, SOCK_DGRAM);
  if (bind_to(taker, v4("0.0.0.0", 4004)).error != 0 || connect_to(socket, v4(kLoopback, 4004)).error != 0)
    return missing();
  Address address = v4(last, 4004);
  iovec bytes{const_cast<char*>("x"), 1};
  std::array<mmsghdr, 128> messages{};
  for (mmsghdr& message : messages) message.msg_hdr.msg_iov = &bytes, message.msg_hdr.msg_iovlen = 1;
  messages[count - 1].msg_hdr.msg_name = address.get();
  messages[count - 1].msg_hdr.msg_namelen = address.length;
  const long sent = call(SYS_sendmmsg, socket, messages.data(), count, 0);
  return {.error = sent < 0 ? errno : sent < static_cast<long>(count) ? EIO : 0};
}

Outcome send_to_two(const Scene&) {
  const int taker = open_socket(AF_INET, SOCK_DGRAM), socket = open_socket(AF_INET, SOCK_DGRAM);
  if (socket < 0 || bind_to(taker, v4("0.0.0.0", 4005)).error != 0) return missing();
  std::array addresses{v4("127.0.0.1", 4005), v4("127.0.0.2", 4005)};
  iovec bytes{const_cast<char*>("x"), 1};
  std::array<mmsghdr, 2> messages{};
  for (std::size_t i = 0; i < messages.size(); ++i) {
    messages[i].msg_hdr = {.msg_name = addresses[i].get(), .msg_namelen = addresses[i].length, .msg_iov = &bytes,
                           .msg_iovlen = 1, .msg_control = nullptr, .msg_controllen = 0, .msg_flags = 0};
  }
  return try_call(SYS_sendmmsg, socket, messages.data(), messages.size(), 0);
}

Outcome fast_open_by_option(const Scene&) {
  const int socket = open_socket(AF_INET, SOCK_STREAM), on = 1;
  if (::setsockopt(socket, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &on, sizeof on) != 0) return missing();
  return connect_to(socket, v4(kAbroad, 80));
}

Outcome ask_for_links(const Scene&) {
  struct {
    nlmsghdr header{};
    rtgenmsg body{};
  } request;
  request.header.nlmsg_len = sizeof request;
  request.header.nlmsg_type = RTM_GETLINK;
  request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  Address kernel = only_family(AF_NETLINK);
  kernel.length = sizeof(sockaddr_nl);
  const int socket = open_socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
  if (socket < 0) return missing();
  return try_call(SYS_sendto, socket, &request, sizeof request, 0, kernel.get(), kernel.length);
}

// Where there is no Unix socket to be had, that is the answer.
Outcome by_unix(int type, Outcome (*act)(int, Address), const std::string& path) {
  const int socket = open_socket(AF_UNIX, type);
  return socket < 0 ? Outcome{.error = errno} : act(socket, unix_path(path));
}

Outcome pair_of(int type) {
  int ends[2];
  return try_call(SYS_socketpair, AF_UNIX, type, 0, ends);
}

const Action kActions[] = {
    {"connect, IPv4 abroad",
     [](const Scene&) { return connect_to(open_socket(AF_INET, SOCK_STREAM), v4(kAbroad, 80)); },
     {connected("connect", "192.0.2.1:80")}},
    {"connect, IPv4 on the jail's loopback", connect_on_loopback, {connected("connect", "127.0.0.1:4001")}},
    {"connect, IPv6 abroad",
     [](const Scene&) { return connect_to(open_socket(AF_INET6, SOCK_STREAM), v6("2001:db8::1", 80)); },
     {connected("connect", "[2001:db8::1]:80")}},
    {"connect, IPv4 in IPv6",
     [](const Scene&) { return connect_to(open_socket(AF_INET6, SOCK_STREAM), v6("::ffff:192.0.2.1", 80)); },
     {connected("connect", "[::ffff:192.0.2.1]:80")}},
    {"connect, UDP", [](const Scene&) { return connect_to(open_socket(AF_INET, SOCK_DGRAM), v4(kAbroad, 53)); },
     {connected("connect", "192.0.2.1:53")}},
    {"connect, AF_UNSPEC",
     [](const Scene&) { return connect_to(open_socket(AF_INET, SOCK_DGRAM), only_family(AF_UNSPEC)); },
     {connected("connect", "family 0")}},
    {"sendto, UDP", [](const Scene&) { return send_to(open_socket(AF_INET, SOCK_DGRAM), v4(kAbroad, 9), 0); },
     {sent("sendto", "192.0.2.1:9")}},
    {"sendmsg, UDP", send_message, {sent("sendmsg", "192.0.2.1:9")}},
    {"sendmmsg, to two", send_to_two, {sent("sendmmsg", "127.0.0.2:4005")}},
    {"sendmmsg, by the 128th message", [](const Scene&) { return send_messages(128, "127.0.0.7"); },
     {sent("sendmmsg", "127.0.0.7:4004")}},
    {"TCP fast open, sendto",
     [](const Scene&) { return send_to(open_socket(AF_INET, SOCK_STREAM), v4(kAbroad, 80), MSG_FASTOPEN); },
     {denied("sendto")}},
    {"TCP fast open, by option", fast_open_by_option, {connected("connect", "192.0.2.1:80")}},
    {"setsockopt, TCP_ULP",
     [](const Scene&) {
       const int socket = open_socket(AF_INET, SOCK_STREAM);
       return socket < 0 ? missing() : try_call(SYS_setsockopt, socket, IPPROTO_TCP, 31, "smc", 4);
     },
     {denied("setsockopt")}},
    {"bind", [](const Scene&) { return bind_to(open_socket(AF_INET, SOCK_STREAM), v4(kLoopback, 4006)); },
     {listening("bind", "127.0.0.1:4006")}},
    {"listen", listen_bound, {listening("listen", "127.0.0.1:4003")}},
    {"listen, where the kernel chooses", listen_unbound, {listening("listen", "0.0.0.0:0")}},
    {"accept", [](const Scene&) { return accept_one(SYS_accept, 4002); },
     {Evidence{"net.accept", "accept", "127.0.0.1:4002"}}},
    {"accept4", [](const Scene&) { return accept_one(SYS_accept4, 4007); },
     {Evidence{"net.accept", "accept4", "127.0.0.1:4007"}}},
    {"socket, MPTCP", [](const Scene&) { return only_socket(AF_INET, SOCK_STREAM, kMptcp); }, {denied("socket")}},
    {"socket, raw", [](const Scene&) { return only_socket(AF_INET, SOCK_RAW, IPPROTO_ICMP); }, {denied("socket")}},
    {"socket, ping", [](const Scene&) { return only_socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP); }, {denied("socket")}},
    {"socket, packet", [](const Scene&) { return only_socket(AF_PACKET, SOCK_RAW, 0); }, {denied("socket")}},
    {"socket, vsock", [](const Scene&) { return only_socket(AF_VSOCK, SOCK_STREAM, 0); }, {denied("socket")}},
    {"socket, alg", [](const Scene&) { return only_socket(AF_ALG, SOCK_SEQPACKET, 0); }, {denied("socket")}},
    {"netlink, audit", [](const Scene&) { return only_socket(AF_NETLINK, SOCK_RAW, NETLINK_AUDIT); },
     {denied("socket")}},
    {"netlink, route", ask_for_links, {sent("sendto", "family 16")}},
    {"connect, Unix by path", [](const Scene& scene) { return by_unix(SOCK_STREAM, connect_to, hidden(scene)); },
     {connected("connect", "{hidden}"), denied("socket")}},
    {"connect, Unix by name",
     [](const Scene&) { return by_unix(SOCK_STREAM | SOCK_CLOEXEC, connect_to, "@blindspot"); },
     {connected("connect", "@blindspot"), denied("socket")}},
    {"sendto, Unix datagram",
     [](const Scene& scene) {
       const auto send = [](int socket, Address address) { return send_to(socket, address, 0); };
       return by_unix(SOCK_DGRAM, send, hidden(scene));
     },
     {sent("sendto", "{hidden}"), denied("socket")}},
    {"bind, Unix by path", [](const Scene&) { return by_unix(SOCK_STREAM | SOCK_NONBLOCK, bind_to, "/tmp/unix"); },
     {listening("bind", "/tmp/unix"), denied("socket")}},
    {"socketpair", [](const Scene&) { return pair_of(SOCK_STREAM); }, {connected("socketpair", "family 1")}},
    {"socketpair, datagrams", [](const Scene&) { return pair_of(SOCK_DGRAM); },
     {connected("socketpair", "family 1"), denied("socketpair")}},
};

}  // namespace

std::span<const Action> network_actions() { return kActions; }

}  // namespace jail::blindspot
