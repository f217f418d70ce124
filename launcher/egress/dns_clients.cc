#include "egress/dns_clients.h"

#include <sys/epoll.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <utility>

#include "base/error.h"
#include "egress/datagram.h"
#include "egress/dns_limits.h"
#include "egress/doors.h"

namespace jail::egress {
namespace {

constexpr int kTurn = 32;  // datagrams taken before others have theirs
constexpr std::size_t kMostConnections = 32;
constexpr std::size_t kLargestQuestion = 1024;  // padding and cookies of EDNS included
constexpr std::size_t kMostUnanswered = 16;
constexpr std::size_t kMostUnsent = std::size_t{64} << 10;
constexpr std::uint64_t kPatience = 10 * kSecond;

// Tags, beside kTag: a connection's number, or one of these bits with the index of a listening socket.
constexpr std::uint64_t kDatagram = 1ULL << 60;
constexpr std::uint64_t kStream = 1ULL << 61;

// Empty where the network has no IPv6.
template <typename Open>
Fd open_at(int family, std::uint16_t port, Open open) {
  const Address any{.family = family, .bytes = {}, .port = port};
  Fd socket = open(any, Side::Jail);
  if (!socket && family == AF_INET6 && errno == EAFNOSUPPORT) return {};
  check(socket.get(), "listen", shown(any));
  return socket;
}

}  // namespace

ResolverSockets open_resolver_sockets(std::uint16_t port) {
  ResolverSockets sockets;
  for (std::size_t i = 0; i < sockets.datagram.size(); ++i) {
    const int family = i == 0 ? AF_INET : AF_INET6;
    sockets.datagram[i] = open_at(family, port, open_datagram_socket);
    sockets.stream[i] = open_at(family, port, open_listener);
  }
  return sockets;
}

std::vector<Fd> list_of(ResolverSockets sockets) {
  std::vector<Fd> list;
  for (std::size_t i = 0; i < sockets.datagram.size(); ++i) {
    if (!sockets.datagram[i]) continue;
    list.push_back(std::move(sockets.datagram[i]));
    list.push_back(std::move(sockets.stream[i]));
  }
  return list;
}

ResolverSockets sockets_of(std::vector<Fd> list) {
  ResolverSockets sockets;
  for (std::size_t i = 0; i < sockets.datagram.size() && 2 * i + 1 < list.size(); ++i) {
    sockets.datagram[i] = std::move(list[2 * i]);
    sockets.stream[i] = std::move(list[2 * i + 1]);
  }
  return sockets;
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
    std::array<char, kLargestQuestion> bytes;
    const std::optional<Datagram> question = egress::receive(sockets_.datagram[socket], 0, bytes);
    if (!question) return;
    if (!question->is_whole) continue;
    const Asker asker{.socket = socket, .peer = question->from, .asked = question->to};
    (void)ask_(asker, Octets(reinterpret_cast<const std::uint8_t*>(bytes.data()), question->size));
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
  if (asker.connection == 0) return (void)send_from(sockets_.datagram[asker.socket], asker.asked, asker.peer, message);
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
