// How the resolver asks the relay to let a rule's ports of an address through, before the plugin learns the address:
// a record of fixed size, one message of a SOCK_SEQPACKET socket. It comes back as it was, but for the verdict.
#pragma once

#include <array>
#include <cstdint>
#include <type_traits>

namespace jail::egress {

struct Opening {
  enum class Verdict : std::uint8_t { Asked, Opened, Refused };

  std::uint64_t lookup = 0;  // the resolver's own number for the question that it belongs to
  std::uint32_t rule = 0;    // of profile::Network::allow
  std::uint32_t ttl = 0;     // seconds
  std::uint16_t family = 0;  // AF_INET or AF_INET6
  std::uint8_t index = 0;    // among the addresses of the answer
  Verdict verdict = Verdict::Asked;
  std::uint32_t unused = 0;
  std::array<std::uint8_t, 16> address{};  // as Address::bytes
};
static_assert(std::is_trivially_copyable_v<Opening> && sizeof(Opening) == 40);

}  // namespace jail::egress
