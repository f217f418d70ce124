// What a relay tells of one connection when it is over: a record of fixed size, one message of a SOCK_SEQPACKET socket.
#pragma once

#include <cstdint>
#include <type_traits>

namespace jail::egress {

struct Flow {
  std::uint32_t door = 0;      // its number in the plan
  std::int32_t error = 0;      // errno of what ended it before its time; 0: both sides were done
  std::uint16_t port = 0;      // of the side that asked for it
  std::uint16_t unused = 0;
  std::uint32_t lost = 0;      // records before this one that nobody took
  std::uint64_t sent = 0;      // bytes from the side that asked for it
  std::uint64_t received = 0;  // and to it
  std::uint64_t began_ns = 0;  // CLOCK_BOOTTIME
  std::uint64_t ended_ns = 0;
};
static_assert(std::is_trivially_copyable_v<Flow> && sizeof(Flow) == 48);

}  // namespace jail::egress
