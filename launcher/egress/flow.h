// What a relay tells of one connection, once it is over or when it was refused: a record of fixed size, one message of
// a SOCK_SEQPACKET socket.
#pragma once

#include <array>
#include <cstdint>
#include <type_traits>

namespace jail::egress {

struct Flow {
  enum class Sort : std::uint8_t { Over, Refused };

  std::int32_t error = 0;                  // errno of what ended it before its time; 0: both sides were done
  std::uint32_t lost = 0;                  // records before this one that nobody took
  std::array<std::uint8_t, 16> address{};  // where it was meant to go, as of Address
  std::uint16_t family = 0;
  std::uint16_t port = 0;
  std::uint16_t from_port = 0;  // of the side that asked for it
  Sort sort = Sort::Over;
  std::uint8_t protocol = 0;   // IPPROTO_*
  std::uint64_t sent = 0;      // bytes from the side that asked for it
  std::uint64_t received = 0;  // and to it
  std::uint64_t began_ns = 0;  // CLOCK_BOOTTIME
  std::uint64_t ended_ns = 0;
};
static_assert(std::is_trivially_copyable_v<Flow> && sizeof(Flow) == 64);

}  // namespace jail::egress
