// What is known of a destination beside its address: the name it was given for, the line of the profile that has it,
// and who in the jail was the last to ask for it. The wall and the relay see packets and streams, but nobody's call;
// who is notified of calls does not know what becomes of them. By any thread.
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "egress/address.h"
#include "egress/given_names.h"
#include "egress/names.h"
#include "egress/plan.h"
#include "event/event.h"

namespace jail::run {

// As the wall refuses it (egress/ruleset.h): a stream is reset, of a datagram the sending fails.
event::Event refused_in_network(event::Peer peer, std::string_view call, bool connects);

class Destinations {
 public:
  // Of callers; beyond, who has not called for the longest is forgotten.
  static constexpr std::size_t kMostCallers = 256;
  static constexpr std::uint64_t kLongestNs = 60'000'000'000;

  // `plan` outlives this.
  explicit Destinations(const egress::Plan& plan) : plan_(plan) {}

  // Of the plan, by name and by address: one table for all who ask, made for the first of them.
  const egress::Names& lines();

  // The plugin was told that it leads there.
  void add_name(const egress::Address& address, std::string_view name);
  [[nodiscard]] std::string name_of(const egress::Address& address) const;  // empty: none, or long ago
  // net.connect or net.send, with its pid and its time: what was let go on, to a door (monitor/listener.h).
  void add_call(const event::Event& call);

  static bool concerns(const event::Event& event) noexcept {
    return std::holds_alternative<event::NetConnect>(event.body) || std::holds_alternative<event::NetSend>(event.body);
  }
  // Of these: the name; of what is denied by nobody's line the one that has the host, be it with other ports; and of
  // what has no process the one that last asked for it, no later than `when_ns` (CLOCK_BOOTTIME). Where two ask for the
  // same at once it may be the other.
  void complete(event::Event& event, std::uint64_t when_ns);

  // Of those who asked before `before_ns` and whom nobody has told of: what was not permitted when they did, each once,
  // as denied and foretold. For when more was refused than could be told.
  using IsPermitted = std::function<bool(const egress::Address& to, std::uint64_t when_ns)>;
  std::vector<event::Event> take_untold(const IsPermitted& is_permitted, std::uint64_t before_ns);

 private:
  struct Caller {
    egress::Address to;
    std::string call;
    std::int32_t pid = 0;
    std::optional<std::int32_t> jail_pid{};
    bool connects = false;
    std::uint64_t first_ns = 0;
    std::uint64_t last_ns = 0;
    bool is_told = false;  // that it was denied
  };
  [[nodiscard]] std::string line_of(const egress::Address& to, const std::string& host);
  [[nodiscard]] Caller* caller_of(const egress::Address& to, bool connects, std::uint64_t when_ns);

  const egress::Plan& plan_;
  mutable std::mutex mutex_;
  egress::GivenNames names_;
  std::once_flag made_lines_;
  std::optional<egress::Names> lines_;
  std::vector<Caller> callers_;
};

}  // namespace jail::run
