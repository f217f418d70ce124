// Datagrams on their way out and back: who in the jail sends to an address beyond a door has a socket of its own on the
// host for it, and what comes back comes from the address that was meant.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "base/fd.h"
#include "egress/address.h"
#include "egress/flow.h"

namespace jail::egress {

// One datagram as it came to a door.
struct Datagram {
  Address from;
  Address to;
  std::size_t size = 0;
};
// From a socket with IP_PKTINFO or IPV6_RECVPKTINFO (doors.h); the port is the door's. Nothing: there is none.
std::optional<Datagram> receive(const Fd& door, std::uint16_t port, std::span<char> into) noexcept;

// Whoever sends from one port to one address: the other side may answer for as long as something is sent or received
// every kIdleSeconds.
class Exchange {
 public:
  static constexpr std::uint64_t kIdleSeconds = 60;

  // A socket on the host that is connected to `meant`; empty where it cannot be had (errno).
  static Fd open(const Address& meant) noexcept;

  Exchange(Fd outside, std::size_t door, const Address& asked, const Address& meant);

  [[nodiscard]] bool is_of(std::size_t door, const Datagram& datagram) const noexcept;
  void send(std::span<const char> datagram) noexcept;
  // What has come for it goes back by the door. False: nobody is there (ECONNREFUSED).
  bool answer(const Fd& door, std::span<char> scratch) noexcept;
  [[nodiscard]] bool is_idle(std::uint64_t now_ns) const noexcept;
  [[nodiscard]] const Flow& flow() const noexcept { return flow_; }  // as it stands

  [[nodiscard]] const Fd& outside() const noexcept { return outside_; }
  [[nodiscard]] std::size_t door() const noexcept { return door_; }

 private:
  Fd outside_;
  std::size_t door_;
  Address asked_;
  Address meant_;
  Flow flow_;
};

}  // namespace jail::egress
