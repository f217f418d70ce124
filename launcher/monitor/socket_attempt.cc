#include "monitor/socket_attempt.h"

#include <sys/socket.h>

#include <algorithm>
#include <span>
#include <utility>

#include "monitor/call_attempt.h"

namespace jail::monitor {
namespace {

// What a msghdr begins with.
struct MessageName {
  std::uint64_t address = 0;
  std::uint32_t length = 0;
};
constexpr std::uint64_t kSizeOfMmsghdr = 64;
constexpr std::uint64_t kMostMessages = 1024;  // of one call: UIO_MAXIOV, beyond which the kernel takes none

}  // namespace

std::optional<std::vector<std::byte>> address_bytes(const Caller& caller, std::uint64_t address, std::uint64_t length) {
  std::vector<std::byte> bytes(std::min<std::size_t>(static_cast<std::uint32_t>(length), kMostOfAnAddress));
  return caller.bytes(address, bytes) ? std::optional(std::move(bytes)) : std::nullopt;
}

Address decoded(const std::optional<std::vector<std::byte>>& bytes) {
  if (bytes) return decode_address(*bytes);
  Address unknown;
  unknown.peer.unknown = true;
  return unknown;
}

Address read_address(const Caller& caller, std::uint64_t address, std::uint64_t length) {
  return decoded(address_bytes(caller, address, length));
}

std::vector<Address> read_peers(const Caller& caller, std::uint64_t messages, std::uint64_t count) {
  std::vector<Address> peers;
  count = std::min<std::uint64_t>(static_cast<std::uint32_t>(count), kMostMessages);
  for (std::uint64_t i = 0; i < count; ++i) {
    const auto name = caller.value<MessageName>(messages + i * kSizeOfMmsghdr);
    Address address;
    if (name && name->address != 0) address = read_address(caller, name->address, name->length);
    else if (name) continue;
    else if (i != 0) break;  // the kernel stops there, too
    else address.peer.unknown = true;
    if (std::ranges::find(peers, address) == peers.end()) peers.push_back(std::move(address));
  }
  return peers;
}

event::Peer own_side(const Caller& caller, int descriptor) {
  sockaddr_storage address{};
  socklen_t length = sizeof address;
  const Fd socket = caller.take(descriptor);
  if (!socket || ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &length) != 0)
    return {.unknown = true};
  const auto bytes = std::as_bytes(std::span(&address, 1));
  return decode_address(bytes.first(std::min<std::size_t>(length, bytes.size()))).peer;
}

event::Body net_body(Operation operation, std::uint32_t number, event::Peer peer) {
  std::string name = call_name(number);
  if (operation == Operation::Connect) return event::NetConnect{name, std::move(peer)};
  if (operation == Operation::Pair) return event::NetConnect{name, std::move(peer)};
  if (operation == Operation::Accept) return event::NetAccept{name, std::move(peer)};
  if (operation == Operation::Bind || operation == Operation::Listen) return event::NetListen{name, std::move(peer)};
  return event::NetSend{name, std::move(peer)};
}

}  // namespace jail::monitor
