#include "trace/decode_network.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstring>
#include <string>

namespace jail::trace {
namespace {

constexpr std::uint64_t kNsPerMs = 1'000'000;

std::string protocol_name(std::uint32_t protocol) {
  switch (protocol) {
    case IPPROTO_TCP: return "tcp";
    case IPPROTO_UDP: return "udp";
    case IPPROTO_ICMP: return "icmp";
    case IPPROTO_ICMPV6: return "icmp6";
    default: return std::to_string(protocol);
  }
}

}  // namespace

event::Peer peer_of(const jail_address& address) {
  char text[INET6_ADDRSTRLEN] = {};
  event::Peer peer;
  if (::inet_ntop(address.family, address.bytes, text, sizeof text) == nullptr) peer.family = address.family;
  else peer.port = address.port;
  peer.address = text;
  return peer;
}

event::Peer peer_of_unix(std::string_view name) {
  if (name.starts_with('\0')) return {.path = "@" + std::string(name.substr(1))};
  return {.path = std::string(name.substr(0, name.find('\0')))};
}

std::optional<event::NetFlow> flow_of(const jail_event& head, std::string_view traffic) {
  jail_traffic counts{};
  if (traffic.size() != sizeof counts) return std::nullopt;
  std::memcpy(&counts, traffic.data(), sizeof counts);
  const bool is_of_many = head.address.family == 0;
  const bool has_ports = head.address.type == IPPROTO_TCP || head.address.type == IPPROTO_UDP;
  event::Peer peer = is_of_many ? event::Peer{} : peer_of(head.address);
  if (!has_ports) peer.port.reset();
  return event::NetFlow{.protocol = protocol_name(head.address.type),
                        .peer = std::move(peer),
                        .local_port = static_cast<std::uint16_t>(head.call),
                        .bytes_sent = counts.bytes_sent,
                        .packets_sent = counts.packets_sent,
                        .bytes_received = counts.bytes_received,
                        .packets_received = counts.packets_received,
                        .duration_ms = (std::max(head.time_ns, counts.start_ns) - counts.start_ns) / kNsPerMs};
}

}  // namespace jail::trace
