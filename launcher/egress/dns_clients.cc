#include "egress/dns_clients.h"

#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/uio.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

#include "base/error.h"
#include "egress/dns_limits.h"

namespace jail::egress {
namespace {

constexpr int kQueue = 64;
constexpr int kTurn = 32;  // datagrams taken before others have theirs
constexpr std::size_t kMostConnections = 32;
constexpr std::size_t kLargestQuestion = 1024;  // padding and cookies of EDNS included
constexpr std::size_t kMostUnanswered = 16;
constexpr std::size_t kMostUnsent = std::size_t{64} << 10;
constexpr std::uint64_t kPatience = 10 * kSecond;

// Tags, beside kTag: a connection's number, or one of these bits with the index of a listening socket.
constexpr std::uint64_t kDatagram = 1ULL << 60;
constexpr std::uint64_t kStream = 1ULL << 61;

void set(const Fd& socket, int level, int option) {
  const int on = 1;
  check(::setsockopt(socket.get(), level, option, &on, sizeof on), "setsockopt");
}

// IP_FREEBIND: an IPv6 address that only a route makes ours is a source no less (ip(7), Linux 2.4).
Fd open_socket(int family, int type, std::uint16_t port) {
  Fd socket(::socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket && family == AF_INET6 && errno == EAFNOSUPPORT) return {};
  check(socket.get(), "socket");
  set(socket, IPPROTO_IP, IP_FREEBIND);
  if (family == AF_INET6) set(socket, IPPROTO_IPV6, IPV6_V6ONLY);
  if (type == SOCK_STREAM) set(socket, SOL_SOCKET, SO_REUSEADDR);
  else if (family == AF_INET) set(socket, IPPROTO_IP, IP_PKTINFO);
  else set(socket, IPPROTO_IPV6, IPV6_RECVPKTINFO);
  const SocketAddress any = to_socket({.family = family, .bytes = {}, .port = port});
  check(::bind(socket.get(), any.get(), any.size), "bind", "port 53");
  if (type == SOCK_STREAM) check(::listen(socket.get(), kQueue), "listen");
  return socket;
}

union Control {
  cmsghdr first;  // for its alignment
  char bytes[CMSG_SPACE(sizeof(in6_pktinfo))];
};

// By IP_PKTINFO (ip(7)) or IPV6_PKTINFO (ipv6(7)).
std::optional<Address> asked_address(msghdr& message) {
  for (cmsghdr* one = CMSG_FIRSTHDR(&message); one != nullptr; one = CMSG_NXTHDR(&message, one)) {
    Address address;
    if (one->cmsg_level == IPPROTO_IP && one->cmsg_type == IP_PKTINFO) {
      in_pktinfo info{};
      std::memcpy(&info, CMSG_DATA(one), sizeof info);
      std::memcpy(address.bytes.data(), &info.ipi_addr, sizeof info.ipi_addr);
      return address;
    }
    if (one->cmsg_level == IPPROTO_IPV6 && one->cmsg_type == IPV6_PKTINFO) {
      in6_pktinfo info{};
      std::memcpy(&info, CMSG_DATA(one), sizeof info);
      address.family = AF_INET6;
      std::memcpy(address.bytes.data(), &info.ipi6_addr, sizeof info.ipi6_addr);
      return address;
    }
  }
  return std::nullopt;
}

template <typename Info>
void set_control(msghdr& message, int level, int type, const Info& info) {
  message.msg_controllen = CMSG_SPACE(sizeof info);
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = level;
  header->cmsg_type = type;
  header->cmsg_len = CMSG_LEN(sizeof info);
  std::memcpy(CMSG_DATA(header), &info, sizeof info);
}

void set_source(msghdr& message, const Address& address) {
  if (address.family == AF_INET) {
    in_pktinfo info{};
    std::memcpy(&info.ipi_spec_dst, address.bytes.data(), sizeof info.ipi_spec_dst);
    return set_control(message, IPPROTO_IP, IP_PKTINFO, info);
  }
  in6_pktinfo info{};
  std::memcpy(&info.ipi6_addr, address.bytes.data(), sizeof info.ipi6_addr);
  set_control(message, IPPROTO_IPV6, IPV6_PKTINFO, info);
}

// What does not fit into the queue of the plugin's own socket is lost, as a datagram may be.
void send_datagram(const Fd& socket, const Asker& asker, std::string_view bytes) {
  SocketAddress peer = to_socket(asker.peer);
  iovec piece{const_cast<char*>(bytes.data()), bytes.size()};
  Control control{};
  msghdr message{};
  message.msg_name = &peer.storage;
  message.msg_namelen = peer.size;
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  message.msg_control = control.bytes;
  message.msg_controllen = sizeof control.bytes;
  set_source(message, asker.asked);
  (void)::sendmsg(socket.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

}  // namespace

ResolverSockets open_resolver_sockets(std::uint16_t port) {
  return {{open_socket(AF_INET, SOCK_DGRAM, port), open_socket(AF_INET6, SOCK_DGRAM, port)},
          {open_socket(AF_INET, SOCK_STREAM, port), open_socket(AF_INET6, SOCK_STREAM, port)}};
}

Clients::Clients(ResolverSockets sockets, const Fd& poll, Ask ask)
    : sockets_(std::move(sockets)), poll_(poll), ask_(std::move(ask)) {
  for (std::size_t i = 0; i < sockets_.datagram.size(); ++i) {
    if (sockets_.datagram[i]) watch(sockets_.datagram[i], EPOLL_CTL_ADD, EPOLLIN, kTag | kDatagram | i);
    if (sockets_.stream[i]) watch(sockets_.stream[i], EPOLL_CTL_ADD, EPOLLIN, kTag | kStream | i);
  }
}

void Clients::watch(const Fd& socket, int operation, std::uint32_t events, std::uint64_t tag) const {
  epoll_event event{.events = events, .data = {.u64 = tag}};
  check(::epoll_ctl(poll_.get(), operation, socket.get(), &event), "epoll_ctl");
}

void Clients::carry(std::uint64_t tag, std::uint32_t events, std::uint64_t now) {
  const std::uint64_t number = tag & ~(kTag | kDatagram | kStream);
  if ((tag & kDatagram) != 0) return receive(number);
  if ((tag & kStream) != 0) return accept(number, now);
  const auto found = connections_.find(number);
  if (found == connections_.end()) return;
  Connection& connection = found->second;
  const bool is_there = (events & (EPOLLERR | EPOLLHUP)) == 0;
  settle(found, is_there && write(connection) && read(connection, now) && take_questions(found));
}

void Clients::receive(std::size_t socket) {
  for (int i = 0; i < kTurn; ++i) {
    std::array<std::uint8_t, kLargestQuestion> bytes;
    sockaddr_storage peer{};
    iovec piece{bytes.data(), bytes.size()};
    Control control{};
    msghdr message{};
    message.msg_name = &peer;
    message.msg_namelen = sizeof peer;
    message.msg_iov = &piece;
    message.msg_iovlen = 1;
    message.msg_control = control.bytes;
    message.msg_controllen = sizeof control.bytes;
    const ssize_t size = ::recvmsg(sockets_.datagram[socket].get(), &message, 0);
    if (size < 0) return;  // nothing more, or an answer that could not be delivered
    const auto from = from_socket(peer);
    const auto asked = asked_address(message);
    if (!from || !asked || (message.msg_flags & MSG_TRUNC) != 0) continue;
    const Asker asker{.socket = socket, .peer = *from, .asked = *asked};
    (void)ask_(asker, Octets(bytes).first(static_cast<std::size_t>(size)));
  }
}

void Clients::accept(std::size_t socket, std::uint64_t now) {
  Fd accepted(::accept4(sockets_.stream[socket].get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!accepted || connections_.size() >= kMostConnections) return;
  const std::uint64_t number = next_++;
  watch(accepted, EPOLL_CTL_ADD, EPOLLIN, kTag | number);
  connections_.emplace(number, Connection{.socket = std::move(accepted), .deadline = now + kPatience});
}

bool Clients::read(Connection& connection, std::uint64_t now) {
  if (connection.is_ended || connection.in.size() >= 2 + kLargestQuestion) return true;
  std::array<char, kLargestQuestion> bytes;
  const ssize_t size = ::recv(connection.socket.get(), bytes.data(), bytes.size(), 0);
  if (size < 0) return errno == EAGAIN || errno == EINTR;
  if (size == 0) connection.is_ended = true;
  if (size > 0) connection.deadline = now + kPatience;
  connection.in.append(bytes.data(), static_cast<std::size_t>(size));
  return true;
}

bool Clients::take_questions(Connections::iterator found) {
  const Asker asker{.connection = found->first};
  Connection& connection = found->second;
  while (connection.in.size() >= 2 && connection.unanswered < kMostUnanswered && connection.out.size() < kMostUnsent) {
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(connection.in.data());
    const std::size_t length = static_cast<std::size_t>(bytes[0]) << 8 | bytes[1];
    if (length > kLargestQuestion) return false;
    if (connection.in.size() - 2 < length) break;
    const std::string question = connection.in.substr(2, length);
    connection.in.erase(0, 2 + length);
    ++connection.unanswered;
    if (!ask_(asker, Octets(reinterpret_cast<const std::uint8_t*>(question.data()), question.size()))) return false;
  }
  return write(connection) && !(connection.is_ended && connection.unanswered == 0 && connection.out.empty());
}

bool Clients::write(Connection& connection) {
  while (!connection.out.empty()) {
    const ssize_t sent =
        ::send(connection.socket.get(), connection.out.data(), connection.out.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0) return errno == EAGAIN || errno == EINTR;
    connection.out.erase(0, static_cast<std::size_t>(sent));
  }
  return true;
}

// Whoever does not take answers is not read from.
void Clients::settle(Connections::iterator found, bool goes_on) {
  if (!goes_on) {
    connections_.erase(found);
    return;
  }
  const Connection& connection = found->second;
  const bool has_room = connection.unanswered < kMostUnanswered && connection.out.size() < kMostUnsent;
  const std::uint32_t reading = has_room && !connection.is_ended ? EPOLLIN : 0U;
  const std::uint32_t writing = connection.out.empty() ? 0U : EPOLLOUT;
  watch(connection.socket, EPOLL_CTL_MOD, reading | writing, kTag | found->first);
}

void Clients::answer(const Asker& asker, std::string_view message) {
  if (asker.connection == 0) return send_datagram(sockets_.datagram[asker.socket], asker, message);
  const auto found = connections_.find(asker.connection);
  if (found == connections_.end()) return;
  Connection& connection = found->second;
  connection.unanswered -= connection.unanswered > 0 ? 1 : 0;
  connection.out.push_back(static_cast<char>(message.size() >> 8));
  connection.out.push_back(static_cast<char>(message.size()));
  connection.out.append(message);
  watch(connection.socket, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT, kTag | found->first);  // carried on in the next turn
}

void Clients::pass(std::uint64_t now) {
  std::erase_if(connections_, [&](const auto& one) { return one.second.deadline <= now; });
}

std::uint64_t Clients::deadline() const noexcept {
  std::uint64_t first = ~std::uint64_t{0};
  for (const auto& [number, connection] : connections_) first = std::min(first, connection.deadline);
  return first;
}

}  // namespace jail::egress
