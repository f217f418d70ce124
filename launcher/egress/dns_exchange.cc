#include "egress/dns_exchange.h"

#include <sys/epoll.h>
#include <sys/random.h>

#include <array>
#include <cstring>

#include "base/error.h"
#include "egress/dns_limits.h"

namespace jail::egress {
namespace {

constexpr std::uint64_t kPatience = 2 * kSecond;
constexpr std::size_t kLargestDatagram = 4096;
constexpr std::size_t kLargestStream = 2 + 65535;

struct Secret {
  std::uint16_t id = 0;
  std::array<std::uint8_t, 32> cases{};  // a bit for each octet of a name
};

Secret make_secret() {
  std::array<std::uint8_t, 34> bytes{};
  check(::getrandom(bytes.data(), bytes.size(), 0), "getrandom");  // never less for so few (getrandom(2))
  Secret secret;
  std::memcpy(&secret.id, bytes.data(), sizeof secret.id);
  std::memcpy(secret.cases.data(), bytes.data() + sizeof secret.id, secret.cases.size());
  return secret;
}

bool is_later(int error) { return error == EAGAIN || error == EINTR; }

Octets octets(const char* bytes, std::size_t size) { return {reinterpret_cast<const std::uint8_t*>(bytes), size}; }

}  // namespace

Exchange::Exchange(const Fd& poll, std::uint64_t tag, const std::vector<Address>& servers, const Question& question)
    : poll_(poll), tag_(tag), servers_(servers), question_{lower(question.wire), question.type} {}

Exchange::State Exchange::begin(std::uint64_t now) {
  deadline_ = now + kPatience;
  return ask(Transport::Datagram);
}

Exchange::State Exchange::give_up(std::uint64_t now) {
  ++turn_;
  return begin(now);
}

// The kernel takes a port at random, and from a connected socket only what comes from that server.
Exchange::State Exchange::ask(Transport transport) {
  const bool is_stream = transport == Transport::Stream;
  const SocketAddress server = to_socket(servers_[turn_ % servers_.size()]);
  const Secret secret = make_secret();
  id_ = secret.id;
  asked_ = {is_stream ? question_.wire : mix_case(question_.wire, secret.cases), question_.type};
  transport_ = transport;
  stream_.clear();
  is_sent_ = false;
  const int type = (is_stream ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC | SOCK_NONBLOCK;
  socket_ = Fd(::socket(server.get()->sa_family, type, 0));
  if (!socket_) return ask_next();
  if (::connect(socket_.get(), server.get(), server.size) != 0 && errno != EINPROGRESS) return ask_next();
  epoll_event event{.events = static_cast<std::uint32_t>(is_stream ? EPOLLOUT : EPOLLIN), .data = {.u64 = tag_}};
  check(::epoll_ctl(poll_.get(), EPOLL_CTL_ADD, socket_.get(), &event), "epoll_ctl");
  if (is_stream) return State::Waiting;
  const std::string query = make_query(id_, asked_, Edns::With);
  if (::send(socket_.get(), query.data(), query.size(), MSG_NOSIGNAL) < 0) return ask_next();
  return State::Waiting;
}

// A server that failed at once leaves its time to the next.
Exchange::State Exchange::ask_next() {
  socket_.reset();
  if (++failed_ >= servers_.size()) return State::Failed;
  ++turn_;
  return ask(Transport::Datagram);
}

Exchange::State Exchange::carry() {
  if (!socket_) return State::Waiting;
  if (transport_ == Transport::Datagram) return receive_datagram();
  return is_sent_ ? receive_stream() : send_stream();
}

// A connection that has just been made takes so little at once.
Exchange::State Exchange::send_stream() {
  const std::string query = make_query(id_, asked_, Edns::Without);
  std::string message{static_cast<char>(query.size() >> 8), static_cast<char>(query.size())};
  message.append(query);
  const ssize_t sent = ::send(socket_.get(), message.data(), message.size(), MSG_NOSIGNAL);
  if (sent < 0 && is_later(errno)) return State::Waiting;
  if (sent != static_cast<ssize_t>(message.size())) return ask_next();
  is_sent_ = true;
  epoll_event event{.events = EPOLLIN, .data = {.u64 = tag_}};
  check(::epoll_ctl(poll_.get(), EPOLL_CTL_MOD, socket_.get(), &event), "epoll_ctl");
  return State::Waiting;
}

Exchange::State Exchange::receive_datagram() {
  std::array<char, kLargestDatagram> bytes{};
  const ssize_t size = ::recv(socket_.get(), bytes.data(), bytes.size(), 0);
  if (size < 0) return is_later(errno) ? State::Waiting : ask_next();
  return take(octets(bytes.data(), static_cast<std::size_t>(size)));
}

Exchange::State Exchange::receive_stream() {
  std::array<char, kLargestDatagram> bytes{};
  const ssize_t size = ::recv(socket_.get(), bytes.data(), bytes.size(), 0);
  if (size < 0 && is_later(errno)) return State::Waiting;
  if (size <= 0 || stream_.size() + static_cast<std::size_t>(size) > kLargestStream) return ask_next();
  stream_.append(bytes.data(), static_cast<std::size_t>(size));
  if (stream_.size() < 2) return State::Waiting;
  const Octets received = octets(stream_.data(), stream_.size());
  const std::size_t length = static_cast<std::size_t>(received[0]) << 8 | received[1];
  if (received.size() - 2 < length) return State::Waiting;
  return take(received.subspan(2, length));
}

Exchange::State Exchange::take(Octets message) {
  const bool is_stream = transport_ == Transport::Stream;
  auto answer = read_answer(message, id_, asked_);
  if (!answer) return is_stream ? ask_next() : State::Waiting;
  // A server that does not know EDNS is asked without.
  const bool is_puzzled = answer->rcode == Rcode::FormErr || answer->rcode == Rcode::NotImp;
  if (!is_stream && (!answer->is_whole || is_puzzled)) return ask(Transport::Stream);
  const bool is_answered = answer->rcode == Rcode::NoError || answer->rcode == Rcode::NxDomain;
  if (!is_answered || !answer->is_whole) return ask_next();
  answer_ = std::move(*answer);
  socket_.reset();
  return State::Answered;
}

}  // namespace jail::egress
