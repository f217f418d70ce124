#include "sys/peer.h"

#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <span>

#include "base/error.h"
#include "sys/process.h"
#include "sys/socket.h"

namespace jail::sys {
namespace {

constexpr int kPeerPidfd = 77;  // SO_PEERPIDFD, Linux 6.5
// To the byte, so that the kernel passes on no more than are wanted.
constexpr std::size_t control_size(std::size_t descriptors) {
  return CMSG_SPACE(sizeof(ucred)) + CMSG_LEN(descriptors * sizeof(int));
}

pid_t sender_of(msghdr& header) {
  ucred sender{};
  for (cmsghdr* part = CMSG_FIRSTHDR(&header); part != nullptr; part = CMSG_NXTHDR(&header, part))
    if (part->cmsg_level == SOL_SOCKET && part->cmsg_type == SCM_CREDENTIALS)
      std::memcpy(&sender, CMSG_DATA(part), sizeof sender);
  return sender.pid;
}

bool pass_senders(const Fd& socket) noexcept {
  const int yes = 1;
  return ::setsockopt(socket.get(), SOL_SOCKET, SO_PASSCRED, &yes, sizeof yes) == 0;
}

}  // namespace

Fd listen_at(const std::string& path, int backlog) {
  int error = 0;
  Fd socket = try_listen_at(path, backlog, error);
  if (!socket) throw SysError(error, "listen", path);
  return socket;
}

Fd try_listen_at(const std::string& path, int backlog, int& error) noexcept {
  const std::optional<UnixAddress> made = address_of_path(path);
  Fd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const bool listens = socket && made &&
                       ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&made->address), made->size) == 0 &&
                       pass_senders(socket) && ::listen(socket.get(), backlog) == 0;
  error = listens ? 0 : made ? errno : ENAMETOOLONG;
  if (!listens) socket.reset();
  return socket;
}

Fd try_connect(const std::string& path, int patience_ms, int& error) {
  Fd socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  error = socket ? 0 : errno;  // EPERM: in a jail
  if (!socket) return socket;
  const timeval patience{patience_ms / 1000, patience_ms % 1000 * 1000};
  for (const int direction : {SO_RCVTIMEO, SO_SNDTIMEO})
    check(::setsockopt(socket.get(), SOL_SOCKET, direction, &patience, sizeof patience), "setsockopt");
  error = connect_to_path(socket, path);
  if (error != 0) socket.reset();
  return socket;
}

Peer peer_of(const Fd& socket) {
  ucred found{};
  socklen_t size = sizeof found;
  check(::getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &found, &size), "getsockopt", "SO_PEERCRED");
  return {found.pid, found.uid};
}

Fd process_of_peer(const Fd& socket, const Peer& peer) noexcept {
  int process = -1;
  socklen_t size = sizeof process;
  if (::getsockopt(socket.get(), SOL_SOCKET, kPeerPidfd, &process, &size) == 0) return Fd(process);
  return errno == ENOPROTOOPT && peer.pid > 0 ? try_pidfd_open(peer.pid) : Fd();
}

void ask_for_senders(const Fd& socket) {
  if (!pass_senders(socket)) throw SysError(errno, "setsockopt", "SO_PASSCRED");
}

std::optional<Letter> receive_letter(const Fd& socket, std::size_t most, std::size_t descriptors) {
  Letter letter;
  letter.bytes.resize(most + 1);
  alignas(cmsghdr) char control[control_size(kMostDescriptors)];
  iovec data{letter.bytes.data(), letter.bytes.size()};
  msghdr header{};
  header.msg_iov = &data;
  header.msg_iovlen = 1;
  header.msg_control = control;
  header.msg_controllen = control_size(std::min(descriptors, kMostDescriptors));
  const ssize_t size = TEMP_FAILURE_RETRY(::recvmsg(socket.get(), &header, MSG_CMSG_CLOEXEC | MSG_DONTWAIT));
  if (size < 0 && errno == EAGAIN) return std::nullopt;
  if (size < 0) header.msg_controllen = 0;
  letter.bytes.resize(size < 0 ? 0 : static_cast<std::size_t>(size));
  letter.sender = sender_of(header);
  letter.descriptors = take_descriptors(header);
  return letter;
}

bool is_process(const Fd& descriptor) noexcept {
  return ::syscall(SYS_pidfd_send_signal, descriptor.get(), 0, nullptr, 0) == 0 || errno != EBADF;
}

bool send_now(const Fd& socket, const void* bytes, std::size_t size, int descriptor) noexcept {
  const std::span message(static_cast<const std::byte*>(bytes), size);
  const std::span descriptors(&descriptor, descriptor >= 0 ? 1 : 0);
  return try_send_message(socket, message, descriptors);
}

}  // namespace jail::sys
