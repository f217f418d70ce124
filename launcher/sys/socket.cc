#include "sys/socket.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
// net/if.h needs sys/socket.h before it.
#include <net/if.h>
#include <sys/ioctl.h>

#include <cassert>
#include <cerrno>
#include <cstring>

#include "base/error.h"

namespace jail::sys {
namespace {

constexpr std::size_t kMostBytes = 4096;
constexpr std::size_t kControlSize = CMSG_SPACE(kMostDescriptors * sizeof(int));

// The end of a process that left something unread is told first, as an error and once (unix(7)); what it sent before is
// still there to be read.
ssize_t receive(int socket, msghdr& header) {
  for (;;) {
    const ssize_t size = ::recvmsg(socket, &header, MSG_CMSG_CLOEXEC);
    if (size >= 0 || (errno != EINTR && errno != ECONNRESET)) return size;
  }
}

}  // namespace

std::vector<Fd> take_descriptors(msghdr& header) {
  std::vector<Fd> descriptors;
  for (cmsghdr* part = CMSG_FIRSTHDR(&header); part != nullptr; part = CMSG_NXTHDR(&header, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int raw = -1;
      std::memcpy(&raw, CMSG_DATA(part) + i * sizeof(int), sizeof(int));
      descriptors.emplace_back(raw);
    }
  }
  return descriptors;
}

SocketPair socket_pair() {
  int ends[2];
  check(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), "socketpair");
  return {Fd(ends[0]), Fd(ends[1])};
}

namespace {

// As sendmsg(2).
ssize_t send_message(const Fd& socket, std::span<const std::byte> message, std::span<const int> descriptors,
                     int flags) {
  assert(descriptors.size() <= kMostDescriptors);
  alignas(cmsghdr) char control[kControlSize] = {};
  iovec data{const_cast<std::byte*>(message.data()), message.size()};
  msghdr header{};
  header.msg_iov = &data;
  header.msg_iovlen = 1;
  if (!descriptors.empty()) {
    header.msg_control = control;
    header.msg_controllen = CMSG_SPACE(descriptors.size_bytes());
    cmsghdr* part = CMSG_FIRSTHDR(&header);
    part->cmsg_level = SOL_SOCKET;
    part->cmsg_type = SCM_RIGHTS;
    part->cmsg_len = CMSG_LEN(descriptors.size_bytes());
    std::memcpy(CMSG_DATA(part), descriptors.data(), descriptors.size_bytes());
  }
  return TEMP_FAILURE_RETRY(::sendmsg(socket.get(), &header, MSG_NOSIGNAL | flags));
}

}  // namespace

bool try_send_message(const Fd& socket, std::span<const std::byte> message, std::span<const int> descriptors) {
  return send_message(socket, message, descriptors, MSG_DONTWAIT) >= 0;
}

bool send_message(const Fd& socket, std::span<const std::byte> message, std::span<const int> descriptors) {
  const ssize_t sent = send_message(socket, message, descriptors, 0);
  if (sent < 0 && (errno == EPIPE || errno == ECONNRESET)) return false;
  check(sent, "sendmsg");
  return true;
}

Message receive_message(const Fd& socket) {
  Message message;
  message.bytes.resize(kMostBytes);
  alignas(cmsghdr) char control[kControlSize];
  iovec data{message.bytes.data(), message.bytes.size()};
  msghdr header{};
  header.msg_iov = &data;
  header.msg_iovlen = 1;
  header.msg_control = control;
  header.msg_controllen = sizeof control;
  const ssize_t size = check(receive(socket.get(), header), "recvmsg");
  message.bytes.resize(static_cast<std::size_t>(size));
  message.descriptors = take_descriptors(header);
  return message;
}

int connect_to(const Fd& socket, std::span<const std::byte> address) noexcept {
  const auto* const given = reinterpret_cast<const sockaddr*>(address.data());
  return ::connect(socket.get(), given, static_cast<socklen_t>(address.size())) == 0 ? 0 : errno;
}

std::optional<UnixAddress> address_of_path(std::string_view path) noexcept {
  UnixAddress made;
  made.address.sun_family = AF_UNIX;
  if (path.size() >= sizeof made.address.sun_path) return std::nullopt;
  path.copy(made.address.sun_path, path.size());
  if (path.starts_with('\0')) made.size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
  return made;
}

int connect_to_path(const Fd& socket, std::string_view path) noexcept {
  const std::optional<UnixAddress> made = address_of_path(path);
  return made ? connect_to(socket, std::as_bytes(std::span(&made->address, 1)).first(made->size)) : ENAMETOOLONG;
}

SendTimeout::SendTimeout(const Fd& socket, int piece_ms) noexcept : socket_(socket), piece_ms_(piece_ms) {
  socklen_t size = sizeof own_;
  (void)::getsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &own_, &size);
  const timeval piece{piece_ms / 1000, piece_ms % 1000 * 1000};
  (void)::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &piece, sizeof piece);
}

SendTimeout::~SendTimeout() { (void)::setsockopt(socket_.get(), SOL_SOCKET, SO_SNDTIMEO, &own_, sizeof own_); }

bool SendTimeout::is_over(int pieces) const noexcept {
  if (::fcntl(socket_.get(), F_GETFL) & O_NONBLOCK) return true;
  const std::int64_t own_ms = std::int64_t{own_.tv_sec} * 1000 + own_.tv_usec / 1000;
  return own_ms != 0 && std::int64_t{pieces} * piece_ms_ >= own_ms;
}

void bring_up_loopback() {
  const Fd socket(check(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), "socket"));
  ifreq request{};
  std::strcpy(request.ifr_name, "lo");
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  check(::ioctl(socket.get(), SIOCSIFFLAGS, &request), "ioctl", "bring lo up");
}

}  // namespace jail::sys
