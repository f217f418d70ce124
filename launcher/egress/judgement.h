// How the relay learns for whom a stream is that it holds back: a record of fixed size, one message of a SOCK_SEQPACKET
// socket. With the question goes the plugin's socket, so that another process reads what it begins with. That comes
// back behind the answer, and is what goes out: read a second time it might be something else (a file's pages that were
// sent stay the plugin's to change; urgent data, tcp(7)).
#pragma once

#include <array>
#include <cstdint>
#include <type_traits>

#include "egress/heard.h"

namespace jail::egress {

struct Judgement {
  enum class Verdict : std::uint8_t { Asked, Named, Other, Refused };
  static constexpr std::uint32_t kNoRule = ~0U;
  static constexpr std::size_t kMostRules = 8;  // a name and each zone around it that has a line for the port
  static constexpr std::size_t kLongestName = 253;

  std::uint64_t connection = 0;  // the relay's own number for it
  std::uint16_t port = 0;
  Verdict verdict = Verdict::Asked;
  Fault fault = Fault::None;  // of what is refused
  std::uint16_t family = 0;   // of the address that it is to
  std::uint16_t unused = 0;
  std::array<std::uint8_t, 16> address{};  // as Address::bytes
  std::array<std::uint32_t, kMostRules> rules{kNoRule, kNoRule, kNoRule, kNoRule, kNoRule, kNoRule, kNoRule, kNoRule};
  std::array<char, kLongestName + 1> name{};  // that the stream is for, ended by a NUL; not of Other
  std::array<char, 2> more{};
};
static_assert(std::is_trivially_copyable_v<Judgement> && sizeof(Judgement) == 320);

}  // namespace jail::egress
