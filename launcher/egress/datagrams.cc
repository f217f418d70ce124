#include "egress/datagrams.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/clock.h"

namespace jail::egress {
namespace {

constexpr std::uint64_t kNsPerSecond = 1'000'000'000;
constexpr int kTurns = 64;  // of one socket; then others have theirs

// Room for the one message of either family that says which address of ours was meant.
union Control {
  cmsghdr aligned;
  char bytes[CMSG_SPACE(sizeof(in6_pktinfo))];
};

std::optional<Address> meant_by(msghdr& header, std::uint16_t port) {
  for (cmsghdr* part = CMSG_FIRSTHDR(&header); part != nullptr; part = CMSG_NXTHDR(&header, part)) {
    Address meant{.family = AF_INET, .bytes = {}, .port = port};
    if (part->cmsg_level == IPPROTO_IP && part->cmsg_type == IP_PKTINFO) {
      in_pktinfo info{};
      std::memcpy(&info, CMSG_DATA(part), sizeof info);
      std::memcpy(meant.bytes.data(), &info.ipi_addr, sizeof info.ipi_addr);
      return meant;
    }
    if (part->cmsg_level == IPPROTO_IPV6 && part->cmsg_type == IPV6_PKTINFO) {
      in6_pktinfo info{};
      std::memcpy(&info, CMSG_DATA(part), sizeof info);
      meant.family = AF_INET6;
      std::memcpy(meant.bytes.data(), &info.ipi6_addr, sizeof info.ipi6_addr);
      return meant;
    }
  }
  return std::nullopt;
}

// The answer shall come from that address.
template <typename Info>
void say_source(msghdr& header, Control& control, int level, int type, const Info& info) {
  header.msg_control = control.bytes;
  header.msg_controllen = CMSG_SPACE(sizeof info);
  control.aligned.cmsg_level = level;
  control.aligned.cmsg_type = type;
  control.aligned.cmsg_len = CMSG_LEN(sizeof info);
  std::memcpy(CMSG_DATA(&control.aligned), &info, sizeof info);
}

bool send_from(const Fd& door, const Address& source, const Address& to, std::span<const char> datagram) noexcept {
  SocketAddress address = to_socket(to);
  iovec data{const_cast<char*>(datagram.data()), datagram.size()};
  Control control{};
  msghdr header{};
  header.msg_name = &address.storage;
  header.msg_namelen = address.size;
  header.msg_iov = &data;
  header.msg_iovlen = 1;
  if (source.family == AF_INET) {
    in_pktinfo info{};
    std::memcpy(&info.ipi_spec_dst, source.bytes.data(), sizeof info.ipi_spec_dst);
    say_source(header, control, IPPROTO_IP, IP_PKTINFO, info);
  } else {
    in6_pktinfo info{};
    std::memcpy(&info.ipi6_addr, source.bytes.data(), sizeof info.ipi6_addr);
    say_source(header, control, IPPROTO_IPV6, IPV6_PKTINFO, info);
  }
  return TEMP_FAILURE_RETRY(::sendmsg(door.get(), &header, MSG_NOSIGNAL)) >= 0;
}

}  // namespace

std::optional<Datagram> receive(const Fd& door, std::uint16_t port, std::span<char> into) noexcept {
  sockaddr_storage from{};
  iovec data{into.data(), into.size()};
  Control control{};
  msghdr header{};
  header.msg_name = &from;
  header.msg_namelen = sizeof from;
  header.msg_iov = &data;
  header.msg_iovlen = 1;
  header.msg_control = control.bytes;
  header.msg_controllen = sizeof control;
  const ssize_t size = TEMP_FAILURE_RETRY(::recvmsg(door.get(), &header, 0));
  if (size < 0) return std::nullopt;
  const std::optional<Address> sender = from_socket(from);
  const std::optional<Address> meant = meant_by(header, port);
  if (!sender || !meant) return std::nullopt;
  return Datagram{*sender, *meant, static_cast<std::size_t>(size)};
}

Fd Exchange::open(const Address& meant) noexcept {
  Fd outside(::socket(meant.family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const SocketAddress address = to_socket(meant);
  return outside && ::connect(outside.get(), address.get(), address.size) == 0 ? std::move(outside) : Fd();
}

Exchange::Exchange(Fd outside, std::size_t door, const Address& asked, const Address& meant)
    : outside_(std::move(outside)), door_(door), asked_(asked), meant_(meant) {
  flow_.protocol = IPPROTO_UDP;
  flow_.family = static_cast<std::uint16_t>(meant.family);
  flow_.address = meant.bytes;
  flow_.port = meant.port;
  flow_.from_port = asked.port;
  flow_.began_ns = flow_.ended_ns = clock::boottime_ns();
}

bool Exchange::is_of(std::size_t door, const Datagram& datagram) const noexcept {
  return door_ == door && asked_ == datagram.from && meant_ == datagram.to;
}

void Exchange::send(std::span<const char> datagram) noexcept {
  flow_.ended_ns = clock::boottime_ns();
  if (TEMP_FAILURE_RETRY(::send(outside_.get(), datagram.data(), datagram.size(), MSG_NOSIGNAL)) >= 0)
    flow_.sent += datagram.size();
}

bool Exchange::answer(const Fd& door, std::span<char> scratch) noexcept {
  for (int turn = 0; turn < kTurns; ++turn) {
    const ssize_t size = TEMP_FAILURE_RETRY(::recv(outside_.get(), scratch.data(), scratch.size(), 0));
    if (size < 0 && errno != EAGAIN) flow_.error = errno;
    if (size < 0) return errno == EAGAIN;
    flow_.ended_ns = clock::boottime_ns();
    const auto answer = scratch.first(static_cast<std::size_t>(size));
    if (send_from(door, meant_, asked_, answer)) flow_.received += answer.size();
  }
  return true;
}

bool Exchange::is_idle(std::uint64_t now_ns) const noexcept {
  return now_ns - flow_.ended_ns > kIdleSeconds * kNsPerSecond;
}

}  // namespace jail::egress
