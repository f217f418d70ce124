#include "sys/socket_diag.h"

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "base/error.h"

namespace jail::sys {
namespace {

struct Request {
  nlmsghdr header;
  inet_diag_req_v2 body;
};

Request request_for(int family, std::uint16_t flags) {
  Request request{};
  request.header.nlmsg_len = sizeof request;
  request.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
  request.header.nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
  request.body.sdiag_family = static_cast<__u8>(family);
  request.body.sdiag_protocol = IPPROTO_TCP;
  request.body.id.idiag_cookie[0] = request.body.id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
  return request;
}

// The first answer: its errno, 0 for what is no error. The kernel has it ready when it takes the question.
int ask(const Fd& socket, const Request& request) noexcept {
  if (::send(socket.get(), &request, sizeof request, MSG_DONTWAIT) != sizeof request) return errno;
  alignas(nlmsghdr) char answer[8192];
  const ssize_t size = ::recv(socket.get(), answer, sizeof answer, MSG_DONTWAIT);
  if (size < static_cast<ssize_t>(NLMSG_LENGTH(sizeof(std::int32_t)))) return EIO;
  nlmsghdr header;
  std::memcpy(&header, answer, sizeof header);
  if (header.nlmsg_type != NLMSG_ERROR && header.nlmsg_type != NLMSG_DONE) return 0;
  std::int32_t error = 0;  // both begin with it
  std::memcpy(&error, NLMSG_DATA(answer), sizeof error);
  return -error;
}

}  // namespace

int open_socket_diag() noexcept { return ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG); }

// "No such socket" is also what a kernel without the module says: a list of sockets in no state is empty, but given.
bool SocketDiag::is_answered() noexcept {
  if (!answered_) answered_ = ask(socket_, request_for(AF_INET, NLM_F_DUMP)) == 0;
  return *answered_;
}

std::optional<bool> SocketDiag::has_tcp_listener(int family, std::uint16_t port) noexcept {
  if (!socket_) return std::nullopt;
  Request request = request_for(family, 0);
  request.body.id.idiag_sport = htons(port);
  if (family == AF_INET) request.body.id.idiag_src[0] = htonl(INADDR_LOOPBACK);
  else request.body.id.idiag_src[3] = htonl(1);
  const int error = ask(socket_, request);
  if (error == 0) return true;
  return error == ENOENT && is_answered() ? std::optional(false) : std::nullopt;
}

namespace {

// Of one answer to a list; nothing where it lacks what is wanted.
std::optional<UnixListener> listener_in(const nlmsghdr& header) {
  unix_diag_msg message;
  if (header.nlmsg_len < NLMSG_LENGTH(sizeof message)) return std::nullopt;
  const auto* const body = reinterpret_cast<const char*>(&header) + NLMSG_HDRLEN;
  std::memcpy(&message, body, sizeof message);
  if (message.udiag_type != SOCK_SEQPACKET) return std::nullopt;
  UnixListener found;
  bool has_owner = false;
  std::size_t left = header.nlmsg_len - NLMSG_LENGTH(sizeof message);
  const char* next = body + NLMSG_ALIGN(sizeof message);
  while (left >= sizeof(nlattr)) {
    nlattr attribute;
    std::memcpy(&attribute, next, sizeof attribute);
    if (attribute.nla_len < NLA_HDRLEN || attribute.nla_len > left) break;
    const std::size_t size = attribute.nla_len - static_cast<std::size_t>(NLA_HDRLEN);
    if (attribute.nla_type == UNIX_DIAG_NAME) found.name.assign(next + NLA_HDRLEN, size);
    if (attribute.nla_type == UNIX_DIAG_UID && size == sizeof found.uid) {
      std::memcpy(&found.uid, next + NLA_HDRLEN, size);
      has_owner = true;
    }
    const std::size_t step = NLA_ALIGN(attribute.nla_len);
    if (step >= left) break;
    left -= step;
    next += step;
  }
  return has_owner && !found.name.empty() ? std::optional(std::move(found)) : std::nullopt;
}

}  // namespace

std::vector<UnixListener> unix_listeners() {
  constexpr std::uint32_t kListening = 1U << TCP_LISTEN;
  struct {
    nlmsghdr header;
    unix_diag_req body;
  } request{};
  request.header.nlmsg_len = sizeof request;
  request.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
  request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  request.body.sdiag_family = AF_UNIX;
  request.body.udiag_states = kListening;
  request.body.udiag_show = UDIAG_SHOW_NAME | UDIAG_SHOW_UID;
  const Fd socket(check(open_socket_diag(), "socket", "sock_diag"));
  check(::send(socket.get(), &request, sizeof request, 0), "sock_diag");
  std::vector<UnixListener> all;
  alignas(nlmsghdr) char answer[32 * 1024];
  for (;;) {
    const ssize_t size = check(TEMP_FAILURE_RETRY(::recv(socket.get(), answer, sizeof answer, 0)), "sock_diag");
    auto left = static_cast<unsigned>(size);
    for (const auto* header = reinterpret_cast<const nlmsghdr*>(answer); NLMSG_OK(header, left);
         header = NLMSG_NEXT(header, left)) {
      if (header->nlmsg_type == NLMSG_DONE) return all;
      std::int32_t error = 0;
      if (header->nlmsg_type == NLMSG_ERROR) std::memcpy(&error, NLMSG_DATA(header), sizeof error);
      if (header->nlmsg_type == NLMSG_ERROR) throw SysError(-error, "sock_diag");
      if (auto found = listener_in(*header)) all.push_back(std::move(*found));
    }
  }
}

}  // namespace jail::sys
