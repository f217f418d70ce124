// Two connected stream sockets, and what is on its way between them; reset unless both sides have ended. Neither side
// ever waits for the other's process: what one does not take is kept, and so long nothing more is read for it.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>

#include "base/fd.h"
#include "egress/address.h"
#include "egress/flow.h"

namespace jail::egress {

class Connection {
 public:
  // `asked`: accepted; `made`: a connect(2) under way to `to`. Both non-blocking.
  Connection(Fd asked, Fd made, const Address& to, Leads leads);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  enum class State { Waiting, Busy, Over };
  // Carries on as far as it goes without waiting, for a while: Busy asks to be called again though nothing new has been
  // heard of its sockets.
  State carry(std::span<char> scratch) noexcept;

  // Nothing of what the plugin sends is taken until it is let go; what comes back passes. `begin`: what another process
  // has taken of it meanwhile.
  void hold() noexcept;
  void let_go(std::span<const char> begin);
  [[nodiscard]] bool is_held() const noexcept { return held_; }
  // For the record of it: the rule that permits the address, and for whom it said to be.
  void note_rule(std::uint32_t rule) noexcept { flow_.rule = rule; }
  void note_name(const std::array<char, Flow::kLongestName + 1>& name, Fault fault) noexcept;

  // Both sides learn that it did not end as it should: it is reset.
  State fail(int error, Flow::Sort sort = Flow::Sort::Over) noexcept;

  [[nodiscard]] const Fd& asked() const noexcept { return asked_; }
  [[nodiscard]] const Fd& made() const noexcept { return made_; }
  [[nodiscard]] Address other() const noexcept { return {flow_.family, flow_.address, flow_.port}; }
  [[nodiscard]] const Flow& flow() const noexcept { return flow_; }  // complete once it is Over

 private:
  struct Stream {
    const Fd& from;
    const Fd& to;
    std::uint64_t& bytes;
    std::string kept{};
    bool ended = false;  // no more will come
    bool shut = false;   // and the other side knows
  };
  bool is_connected() noexcept;
  State carry(Stream& stream, std::span<char> scratch) noexcept;
  bool send(Stream& stream, std::span<const char> data) noexcept;
  bool send_kept(Stream& stream) noexcept;
  void pass_on_end(Stream& stream) noexcept;

  Fd asked_;
  Fd made_;
  Flow flow_;
  Stream out_;
  Stream in_;
  bool connected_ = false;
  bool held_ = false;
  bool over_ = false;
};

}  // namespace jail::egress
