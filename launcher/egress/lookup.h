// What the resolver tells of one question that it has answered: a record of fixed size, one message of a
// SOCK_SEQPACKET socket.
#pragma once

#include <array>
#include <cstdint>
#include <type_traits>

namespace jail::egress {

struct Lookup {
  enum class Outcome : std::uint8_t {
    Answered,          // permitted, and what the name has of this type was given, if it has any
    NotPermitted,      // no line of the profile has the name
    Malformed,         // no question that a resolver of this kind takes
    TooLong,           // permitted by a wildcard, but too long to be passed on
    TooManyNames,      // below a wildcard within a minute
    TooFast,           // the first of those that the rate cap refused; `more` has those since
    Busy,              // too many questions at once
    AddressesRefused,  // each address it points to is one that a name may not point to
    Failed,            // no server answered, or only with a failure
  };
  static constexpr std::uint32_t kNoRule = ~0U;
  static constexpr std::size_t kLongestName = 253;
  static constexpr std::size_t kMostAnswers = 8;
  struct Given {
    std::uint16_t family = 0;
    std::array<std::uint8_t, 16> address{};  // as Address::bytes
  };

  std::uint64_t asked_ns = 0;     // CLOCK_BOOTTIME
  std::uint64_t answered_ns = 0;
  std::uint32_t rule = kNoRule;   // the first that permits the name
  std::uint32_t ttl = 0;          // seconds, of the answers
  std::uint32_t more = 0;         // questions of the same outcome before this one that were not told one by one
  std::uint32_t lost = 0;         // records before this one that nobody took
  std::uint16_t type = 0;         // as DNS numbers them; 0: it could not be read
  std::uint16_t count = 0;        // addresses given to the plugin
  std::uint16_t refused = 0;      // addresses kept from it
  std::uint8_t rcode = 0;         // as the plugin saw it
  Outcome outcome = Outcome::Answered;
  std::array<Given, kMostAnswers> answers{};  // the first of them
  std::array<char, kLongestName + 1> name{};  // lower case, ended by a NUL; octets beyond letters as \DDD (RFC 1035)
  std::array<char, 2> unused{};
};
static_assert(std::is_trivially_copyable_v<Lookup> && sizeof(Lookup) == 440);

}  // namespace jail::egress
