#include "sys/socket_diag.h"

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include "base/error.h"
#include "sys/netlink.h"

namespace jail::sys {
namespace {

constexpr std::size_t kMostAnswered = std::size_t{32} << 10;  // octets at once

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
std::optional<UnixListener> listener_in(std::string_view body) {
  const auto message = netlink::value_in<unix_diag_msg>(body);
  if (!message || message->udiag_type != SOCK_SEQPACKET) return std::nullopt;
  body.remove_prefix(std::min<std::size_t>(NLMSG_ALIGN(sizeof *message), body.size()));
  const auto name = netlink::attribute_in(body, UNIX_DIAG_NAME);
  const auto owner = netlink::attribute_in(body, UNIX_DIAG_UID);
  const auto uid = owner ? netlink::value_in<uid_t>(*owner) : std::nullopt;
  if (!name || name->empty() || !uid) return std::nullopt;
  return UnixListener{std::string(*name), *uid};
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
  std::string answer(kMostAnswered, '\0');
  for (bool is_over = false; !is_over;) {
    const ssize_t size = check(TEMP_FAILURE_RETRY(::recv(socket.get(), answer.data(), answer.size(), 0)), "sock_diag");
    const std::string_view received(answer.data(), static_cast<std::size_t>(size));
    netlink::for_each_message(received, [&](const nlmsghdr& header, std::string_view body) {
      if (header.nlmsg_type == NLMSG_ERROR)
        throw SysError(-netlink::value_in<std::int32_t>(body).value_or(-EPROTO), "sock_diag");
      is_over = header.nlmsg_type == NLMSG_DONE;
      if (auto found = is_over ? std::nullopt : listener_in(body)) all.push_back(std::move(*found));
      return !is_over;
    });
  }
  return all;
}

}  // namespace jail::sys
