// For whom a stream is meant, by the bytes that it begins with: what a client of TLS or of HTTP says in the clear, and
// what a server that many share goes by. Pure and bounded; nothing is repaired, for the server may read it otherwise.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "egress/dns_name.h"

namespace jail::egress {

// Why a stream may not go on.
enum class Fault : std::uint8_t {
  None,
  NotPermitted,  // no line of the profile has the name for this address and port
  NoName,        // a hello without server_name, a request without Host, or with what is no name
  Hidden,        // the name is encrypted (ECH), or the request is one of HTTP/2
  TwoNames,      // which of them counts is up to the server
  Malformed,
  TooLong,       // kMostHeard were not enough
  TooLate,       // it did not come to its point in time
  Unknown,       // neither TLS nor HTTP, at a port of theirs
  Unheard,       // there was nobody to look at it
};
std::string_view text_of(Fault fault) noexcept;

// Of a stream's first bytes; as long as a record of TLS may be.
inline constexpr std::size_t kMostHeard = 16 * 1024;

struct Heard {
  enum class State { Incomplete, Other, Named, Faulty } state = State::Incomplete;
  Fault fault = Fault::None;
  std::string name{};  // of Named, as host_name_of() gives it
};

// Other: neither TLS nor HTTP/1, whatever follows.
Heard heard_in(Octets begin);

// A host's name as texts that are not DNS have it, to compare: lower case, without the final dot. Nothing for what is
// none (an address in brackets, a character beyond letters, digits, '-', '_' and single dots), nor for a single label
// with a final dot, which without it would be a short name.
std::optional<std::string> host_name_of(std::string_view text);

Heard faulty(Fault fault);
Heard named(std::string_view text);  // Malformed where that is no name

}  // namespace jail::egress
