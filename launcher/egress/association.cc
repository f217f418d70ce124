#include "egress/association.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <utility>

#include "base/clock.h"

namespace jail::egress {
namespace {

constexpr std::uint64_t kNsPerSecond = 1'000'000'000;
constexpr int kTurns = 64;  // of one socket; then others have theirs

}  // namespace

Fd Association::open(const Address& to) noexcept {
  Fd beyond(::socket(to.family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const SocketAddress address = to_socket(to);
  return beyond && ::connect(beyond.get(), address.get(), address.size) == 0 ? std::move(beyond) : Fd();
}

Association::Association(Fd beyond, std::size_t door, const Address& asked, const Address& meant, Leads leads)
    : beyond_(std::move(beyond)),
      door_(door),
      asked_(asked),
      meant_(meant),
      there_(leads == Leads::Out ? flow_.sent : flow_.received),
      back_(leads == Leads::Out ? flow_.received : flow_.sent) {
  const Address& other = leads == Leads::Out ? meant : asked;
  flow_.protocol = IPPROTO_UDP;
  flow_.family = static_cast<std::uint16_t>(other.family);
  flow_.address = other.bytes;
  flow_.port = other.port;
  flow_.own_port = leads == Leads::Out ? asked.port : meant.port;
  flow_.began_ns = flow_.ended_ns = clock::boottime_ns();
}

bool Association::is_of(std::size_t door, const Datagram& datagram) const noexcept {
  return door_ == door && asked_ == datagram.from && meant_ == datagram.to;
}

void Association::send(std::span<const char> datagram) noexcept {
  flow_.ended_ns = clock::boottime_ns();
  if (TEMP_FAILURE_RETRY(::send(beyond_.get(), datagram.data(), datagram.size(), MSG_NOSIGNAL)) >= 0)
    there_ += datagram.size();
}

bool Association::answer(const Fd& door, std::span<char> scratch) noexcept {
  for (int turn = 0; turn < kTurns; ++turn) {
    const ssize_t size = TEMP_FAILURE_RETRY(::recv(beyond_.get(), scratch.data(), scratch.size(), 0));
    if (size < 0 && errno != EAGAIN) flow_.error = errno;
    if (size < 0) return errno == EAGAIN;
    flow_.ended_ns = clock::boottime_ns();
    const auto answer = scratch.first(static_cast<std::size_t>(size));
    if (send_from(door, meant_, asked_, answer)) back_ += answer.size();
  }
  return true;
}

bool Association::is_idle(std::uint64_t now_ns) const noexcept {
  return now_ns - flow_.ended_ns > kIdleSeconds * kNsPerSecond;
}

}  // namespace jail::egress
