// Datagrams on their way and back: who sends to an address by a door has a socket of its own on the other side for it,
// and what comes back comes from the address that was meant.
#pragma once

#include <cstdint>
#include <span>

#include "base/fd.h"
#include "egress/datagram.h"
#include "egress/flow.h"

namespace jail::egress {

// Whoever sends from one port to one address: the other side may answer for as long as something is sent or received
// every kIdleSeconds.
class Association {
 public:
  static constexpr std::uint64_t kIdleSeconds = 60;

  // A socket that is connected to `to`; empty where it cannot be had (errno).
  static Fd open(const Address& to) noexcept;

  // `beyond`: that socket; `asked` is who has sent, `meant` our side of it.
  Association(Fd beyond, std::size_t door, const Address& asked, const Address& meant, Leads leads = Leads::Out);

  [[nodiscard]] bool is_of(std::size_t door, const Datagram& datagram) const noexcept;
  void send(std::span<const char> datagram) noexcept;
  // What has come for it goes back by the door. False: nobody is there (ECONNREFUSED).
  bool answer(const Fd& door, std::span<char> scratch) noexcept;
  [[nodiscard]] bool is_idle(std::uint64_t now_ns) const noexcept;
  [[nodiscard]] const Flow& flow() const noexcept { return flow_; }  // as it stands

  [[nodiscard]] const Fd& beyond() const noexcept { return beyond_; }
  [[nodiscard]] std::size_t door() const noexcept { return door_; }

 private:
  Fd beyond_;
  std::size_t door_;
  Address asked_;
  Address meant_;
  Flow flow_;
  std::uint64_t& there_;  // bytes from who has asked, of the flow
  std::uint64_t& back_;
};

}  // namespace jail::egress
