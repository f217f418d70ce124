#include "sys/audit.h"

#include <arpa/inet.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <vector>

#include "base/error.h"

namespace jail::sys {
namespace {

constexpr int kRoom = 1 << 20;  // bytes of the kernel's, for records that wait

template <typename Value>
Value value_at(std::span<const char> bytes, std::size_t offset) {
  Value value{};
  if (offset + sizeof value <= bytes.size()) std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

// By the type in the header of each message: nothing else of the machine's wakes us.
bool take_only(const Fd& records, std::initializer_list<std::uint16_t> types) {
  std::vector<sock_filter> program{BPF_STMT(BPF_LD | BPF_H | BPF_ABS, offsetof(nlmsghdr, nlmsg_type))};
  auto left = static_cast<std::uint8_t>(types.size());
  for (const std::uint16_t type : types)
    program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(type), left--, 0));
  program.push_back(BPF_STMT(BPF_RET | BPF_K, 0));
  program.push_back(BPF_STMT(BPF_RET | BPF_K, ~0U));
  const sock_fprog filter{static_cast<unsigned short>(program.size()), program.data()};
  return ::setsockopt(records.get(), SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter) == 0;
}

// Beyond what the machine lets everybody have, where we may.
bool make_room(const Fd& records) {
  return ::setsockopt(records.get(), SOL_SOCKET, SO_RCVBUFFORCE, &kRoom, sizeof kRoom) == 0 ||
         ::setsockopt(records.get(), SOL_SOCKET, SO_RCVBUF, &kRoom, sizeof kRoom) == 0;
}

bool join_readers(const Fd& records) {
  sockaddr_nl group{};
  group.nl_family = AF_NETLINK;
  group.nl_groups = 1U << (AUDIT_NLGRP_READLOG - 1);
  return ::bind(records.get(), reinterpret_cast<const sockaddr*>(&group), sizeof group) == 0;
}

}  // namespace

AuditState audit_state() noexcept {
  const Fd socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_AUDIT));
  if (!socket) return AuditState::Absent;
  nlmsghdr request{};
  request.nlmsg_len = sizeof request;
  request.nlmsg_type = AUDIT_GET;
  request.nlmsg_flags = NLM_F_REQUEST;  // a refusal is answered, too
  if (::send(socket.get(), &request, sizeof request, MSG_DONTWAIT) < 0)
    return errno == ECONNREFUSED ? AuditState::Absent : AuditState::Unknown;
  alignas(nlmsghdr) char answer[1024];
  const ssize_t size = ::recv(socket.get(), answer, sizeof answer, 0);  // the kernel has it ready
  if (size < static_cast<ssize_t>(NLMSG_LENGTH(2 * sizeof(std::uint32_t)))) return AuditState::Unknown;
  const std::span<const char> bytes(answer, static_cast<std::size_t>(size));
  if (value_at<nlmsghdr>(bytes, 0).nlmsg_type != AUDIT_GET) return AuditState::Unknown;
  const auto enabled = value_at<std::uint32_t>(bytes, NLMSG_HDRLEN + offsetof(audit_status, enabled));
  return enabled != 0 ? AuditState::On : AuditState::Off;
}

Fd open_audit_records(std::initializer_list<std::uint16_t> types, int& error) {
  Fd records(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_AUDIT));
  if (records && take_only(records, types) && make_room(records) && join_readers(records)) return records;
  error = errno;
  return {};
}

AuditRecord next_audit_record(const Fd& records, std::span<char> buffer) {
  for (;;) {
    sockaddr_nl sender{};
    socklen_t length = sizeof sender;
    const ssize_t size = ::recvfrom(records.get(), buffer.data(), buffer.size(), MSG_DONTWAIT | MSG_TRUNC,
                                    reinterpret_cast<sockaddr*>(&sender), &length);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return {};
    if (size < 0 && errno == ENOBUFS) return {.state = AuditRecord::State::Lost};
    check(size, "recvfrom", "the kernel's audit");
    if (sender.nl_pid != 0 || size < NLMSG_HDRLEN) continue;  // not the kernel's
    if (static_cast<std::size_t>(size) > buffer.size()) return {.state = AuditRecord::State::Lost};
    const auto received = static_cast<std::size_t>(size);
    std::string_view text(buffer.data() + NLMSG_HDRLEN, received - NLMSG_HDRLEN);
    while (text.ends_with('\0')) text.remove_suffix(1);
    return {AuditRecord::State::Told, value_at<nlmsghdr>(buffer.first(received), 0).nlmsg_type, text};
  }
}

}  // namespace jail::sys
