#include "sys/route.h"

#include <arpa/inet.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <string_view>

#include "base/error.h"
#include "base/fd.h"

namespace jail::sys {
namespace {

constexpr std::size_t kMostOfARequest = 128;
constexpr std::uint16_t kMake = NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL;

// A message of rtnetlink: a header, a fixed part, attributes.
template <typename Fixed>
class Request {
 public:
  Request(std::uint16_t type, std::uint16_t flags, const Fixed& fixed) {
    nlmsghdr header{};
    header.nlmsg_type = type;
    header.nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
    add(&header, sizeof header);
    add(&fixed, sizeof fixed);
  }

  void attribute(std::uint16_t type, const void* value, std::uint16_t size) {
    const rtattr head{static_cast<std::uint16_t>(RTA_LENGTH(size)), type};
    add(&head, sizeof head);
    add(value, size);
  }

  // The whole of it.
  std::span<const char> message() {
    const auto size = static_cast<std::uint32_t>(size_);
    std::memcpy(bytes_, &size, sizeof size);  // nlmsg_len
    return {bytes_, size_};
  }

  // 0, or errno as the kernel answers.
  int ask(const Fd& socket) {
    const std::span<const char> whole = message();
    check(::send(socket.get(), whole.data(), whole.size(), 0), "rtnetlink");
    alignas(nlmsghdr) char answer[512];
    const ssize_t received = check(::recv(socket.get(), answer, sizeof answer, 0), "rtnetlink");
    nlmsgerr error{};
    if (static_cast<std::size_t>(received) < NLMSG_LENGTH(sizeof error)) return EPROTO;
    std::memcpy(&error, answer + NLMSG_HDRLEN, sizeof error);
    return -error.error;
  }

 private:
  void add(const void* part, std::size_t size) {
    std::memcpy(bytes_ + size_, part, size);
    size_ += NLMSG_ALIGN(size);
  }

  alignas(nlmsghdr) char bytes_[kMostOfARequest] = {};
  std::size_t size_ = 0;
};

int add_default_route(const Fd& socket, unsigned char family, int loopback) {
  rtmsg route{};
  route.rtm_family = family;
  route.rtm_table = RT_TABLE_LOCAL;
  route.rtm_protocol = RTPROT_BOOT;
  route.rtm_scope = RT_SCOPE_HOST;
  route.rtm_type = RTN_LOCAL;
  Request request(RTM_NEWROUTE, kMake, route);
  request.attribute(RTA_OIF, &loopback, sizeof loopback);
  return request.ask(socket);
}

int add_address(const Fd& socket, unsigned char family, int loopback, const char* text) {
  unsigned char address[sizeof(in6_addr)] = {};
  (void)::inet_pton(family, text, address);
  const auto size = static_cast<std::uint16_t>(family == AF_INET ? sizeof(in_addr) : sizeof(in6_addr));
  ifaddrmsg own{};
  own.ifa_family = family;
  own.ifa_prefixlen = static_cast<unsigned char>(size * 8);
  own.ifa_flags = IFA_F_NODAD;
  own.ifa_index = static_cast<unsigned>(loopback);
  Request request(RTM_NEWADDR, kMake, own);
  request.attribute(IFA_LOCAL, address, size);
  request.attribute(IFA_ADDRESS, address, size);
  return request.ask(socket);
}

void make_local(const Fd& socket, unsigned char family, const char* own) {
  const auto loopback = static_cast<int>(::if_nametoindex("lo"));
  int error = add_address(socket, family, loopback, own);
  if (error == 0) error = add_default_route(socket, family, loopback);
  const bool has_no_ipv6 = family == AF_INET6 && (error == EOPNOTSUPP || error == EAFNOSUPPORT || error == EACCES);
  if (error != 0 && !has_no_ipv6) throw SysError(error, "rtnetlink", own);
}

Fd open_rtnetlink() { return Fd(check(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE), "socket")); }

}  // namespace

Routes::Routes() : socket_(open_rtnetlink()) {}

bool Routes::is_local(std::span<const std::uint8_t> address) const noexcept {
  rtmsg wanted{};
  wanted.rtm_family = address.size() == sizeof(in_addr) ? AF_INET : AF_INET6;
  wanted.rtm_dst_len = static_cast<unsigned char>(address.size() * 8);
  Request request(RTM_GETROUTE, 0, wanted);
  request.attribute(RTA_DST, address.data(), static_cast<std::uint16_t>(address.size()));
  const std::span<const char> message = request.message();
  alignas(nlmsghdr) char answer[1024];
  if (::send(socket_.get(), message.data(), message.size(), 0) < 0) return true;
  const ssize_t size = ::recv(socket_.get(), answer, sizeof answer, 0);
  nlmsghdr header{};
  rtmsg route{};
  if (size < static_cast<ssize_t>(NLMSG_LENGTH(sizeof route))) return true;
  std::memcpy(&header, answer, sizeof header);
  std::memcpy(&route, answer + NLMSG_HDRLEN, sizeof route);
  const bool has_no_way = header.nlmsg_type == NLMSG_ERROR;  // then nothing goes anywhere
  return !has_no_way && (header.nlmsg_type != RTM_NEWROUTE || route.rtm_type != RTN_UNICAST);
}

void make_every_address_local() {
  const Fd socket = open_rtnetlink();
  make_local(socket, AF_INET, "192.0.0.8");
  make_local(socket, AF_INET6, "fd00:6a61:696c::1");
}

}  // namespace jail::sys
