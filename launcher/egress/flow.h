// What a relay tells of one connection, once it is over or when it was refused: a record of fixed size, one message of
// a SOCK_SEQPACKET socket.
#pragma once

#include <array>
#include <cstdint>
#include <type_traits>

#include "egress/heard.h"

namespace jail::egress {

// Out: the plugin has asked for it; In: another host, of the plugin.
enum class Leads : std::uint8_t { Out, In };

struct Flow {
  enum class Sort : std::uint8_t { Over, Refused };
  static constexpr std::uint32_t kNoRule = ~0U;
  static constexpr std::size_t kLongestName = 253;

  std::int32_t error = 0;                  // errno of what ended it before its time; 0: both sides were done
  std::uint32_t lost = 0;                  // records before this one that nobody took
  std::array<std::uint8_t, 16> address{};  // of the other side, as the plugin means it, as of Address
  std::uint16_t family = 0;
  std::uint16_t port = 0;
  std::uint16_t own_port = 0;  // the plugin's
  Sort sort = Sort::Over;
  std::uint8_t protocol = 0;   // IPPROTO_*
  std::uint64_t sent = 0;      // bytes, by the plugin
  std::uint64_t received = 0;
  std::uint64_t began_ns = 0;  // CLOCK_BOOTTIME
  std::uint64_t ended_ns = 0;
  std::uint32_t rule = kNoRule;  // of profile::Network::allow, which permits the address
  Fault fault = Fault::None;     // of what was refused for what it began with
  std::array<char, kLongestName + 1> name{};  // that it began with, ended by a NUL; as the resolver has read it
  std::array<char, 5> unused{};
};
static_assert(std::is_trivially_copyable_v<Flow> && sizeof(Flow) == 328);

}  // namespace jail::egress
