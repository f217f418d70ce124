#include "egress/connection.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <utility>

#include "base/clock.h"
#include "egress/address.h"

namespace jail::egress {
namespace {

constexpr int kTurns = 16;  // of the scratch buffer; then others have theirs

// Closing it resets the connection: whoever is on the other side learns that it did not end as it should, also where
// this process was killed.
void reset_on_close(const Fd& socket) noexcept {
  const linger none{.l_onoff = 1, .l_linger = 0};
  (void)::setsockopt(socket.get(), SOL_SOCKET, SO_LINGER, &none, sizeof none);
}

// What was sent is delivered first.
void end_on_close(const Fd& socket) noexcept {
  const linger ordinary{};
  (void)::setsockopt(socket.get(), SOL_SOCKET, SO_LINGER, &ordinary, sizeof ordinary);
}

// The same at once, though another process holds it, too (tcp(7): dissolving an association).
void reset(const Fd& socket) noexcept {
  const sockaddr none{.sa_family = AF_UNSPEC, .sa_data = {}};
  (void)::connect(socket.get(), &none, sizeof none);
}

void send_at_once(const Fd& socket) noexcept {
  const int on = 1;
  (void)::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

Address remote_of(const Fd& socket) noexcept {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  if (::getpeername(socket.get(), reinterpret_cast<sockaddr*>(&storage), &size) != 0) return {};
  return from_socket(storage).value_or(Address{});
}

}  // namespace

Connection::Connection(Fd asked, Fd made, const Address& to, Leads leads)
    : asked_(std::move(asked)),
      made_(std::move(made)),
      out_{.from = asked_, .to = made_, .bytes = leads == Leads::Out ? flow_.sent : flow_.received},
      in_{.from = made_, .to = asked_, .bytes = leads == Leads::Out ? flow_.received : flow_.sent} {
  const Address remote = remote_of(asked_);
  const Address& other = leads == Leads::Out ? to : remote;
  flow_.protocol = IPPROTO_TCP;
  flow_.family = static_cast<std::uint16_t>(other.family);
  flow_.address = other.bytes;
  flow_.port = other.port;
  flow_.own_port = leads == Leads::Out ? remote.port : to.port;
  flow_.began_ns = clock::boottime_ns();
  for (const Fd* socket : {&asked_, &made_}) {
    send_at_once(*socket);
    reset_on_close(*socket);
  }
}

Connection::~Connection() = default;

bool Connection::is_connected() noexcept {
  pollfd polled{made_.get(), POLLOUT, 0};
  if (::poll(&polled, 1, 0) <= 0) return false;
  socklen_t size = sizeof flow_.error;
  (void)::getsockopt(made_.get(), SOL_SOCKET, SO_ERROR, &flow_.error, &size);
  return connected_ = true;
}

Connection::State Connection::carry(std::span<char> scratch) noexcept {
  if (over_) return State::Over;
  if (!connected_ && !is_connected()) return State::Waiting;
  if (flow_.error != 0) return fail(flow_.error);
  const State out = held_ ? State::Waiting : carry(out_, scratch);
  const State in = over_ ? State::Over : carry(in_, scratch);
  if (over_) return State::Over;
  if (out_.shut && in_.shut) {
    over_ = true;
    flow_.ended_ns = clock::boottime_ns();
    end_on_close(asked_);
    end_on_close(made_);
    return State::Over;
  }
  return out == State::Busy || in == State::Busy ? State::Busy : State::Waiting;
}

Connection::State Connection::carry(Stream& stream, std::span<char> scratch) noexcept {
  for (int turn = 0; turn < kTurns; ++turn) {
    if (!send_kept(stream)) return over_ ? State::Over : State::Waiting;
    if (stream.ended) return pass_on_end(stream), State::Waiting;
    const ssize_t size = TEMP_FAILURE_RETRY(::recv(stream.from.get(), scratch.data(), scratch.size(), 0));
    if (size < 0 && errno == EAGAIN) return State::Waiting;
    if (size < 0) return fail(errno);
    stream.bytes += static_cast<std::uint64_t>(size);
    if (size == 0) stream.ended = true;
    else if (!send(stream, scratch.first(static_cast<std::size_t>(size)))) return over_ ? State::Over : State::Waiting;
  }
  return State::Busy;
}

// False: not all of it was taken.
bool Connection::send(Stream& stream, std::span<const char> data) noexcept {
  while (!data.empty()) {
    const ssize_t size = TEMP_FAILURE_RETRY(::send(stream.to.get(), data.data(), data.size(), MSG_NOSIGNAL));
    if (size < 0 && errno != EAGAIN) return fail(errno), false;
    if (size < 0) return stream.kept.assign(data.begin(), data.end()), false;
    data = data.subspan(static_cast<std::size_t>(size));
  }
  return true;
}

bool Connection::send_kept(Stream& stream) noexcept {
  if (stream.kept.empty()) return true;
  const std::string kept = std::exchange(stream.kept, {});
  return send(stream, kept);
}

void Connection::pass_on_end(Stream& stream) noexcept {
  if (!std::exchange(stream.shut, true)) (void)::shutdown(stream.to.get(), SHUT_WR);
}

// Urgent data would be left out, and could come back: all bytes are of one stream.
void Connection::hold() noexcept {
  held_ = true;
  const int on = 1;
  (void)::setsockopt(asked_.get(), SOL_SOCKET, SO_OOBINLINE, &on, sizeof on);
}

void Connection::let_go(std::span<const char> begin) {
  held_ = false;
  out_.kept.assign(begin.begin(), begin.end());
  out_.bytes += begin.size();
}

void Connection::note_name(const std::array<char, Flow::kLongestName + 1>& name, Fault fault) noexcept {
  flow_.name = name;
  flow_.name.back() = '\0';
  flow_.fault = fault;
}

Connection::State Connection::fail(int error, Flow::Sort sort) noexcept {
  flow_.sort = sort;
  over_ = true;
  flow_.error = error;
  flow_.ended_ns = clock::boottime_ns();
  if (held_) reset(asked_);
  return State::Over;
}

}  // namespace jail::egress
