// Where a plugin may connect or listen, out of text: one strict reader for all of it. What two programs could read
// differently (userinfo, backslashes, octal addresses, names outside ASCII, zone ids) is refused, never repaired,
// because the reader that counts in the end is the kernel's.
//
//   endpoint = ("tcp" / "udp") "://" host ":" ports
//   host     = name / "*." name / IPv4 ["/" bits] / "[" IPv6 "]" ["/" bits]
//   ports    = "*" / range *("," range)      range = port ["-" port]
#pragma once

#include <string>
#include <string_view>

#include "profile/profile.h"

namespace jail::profile {

struct EndpointReading {
  Endpoint endpoint;    // without its place
  std::string problem;  // empty when the text was good; never holds any of the text
  std::string hint;
};

// The form above.
EndpointReading parse_endpoint(std::string_view text);

// A URL (RFC 3986) such as a host program's settings hold: scheme (also tcp and udp), one host, its port or the one the
// scheme implies. Path, query and fragment are allowed and mean nothing here.
EndpointReading parse_url(std::string_view text);

// The form above; parse_endpoint() reads it back.
std::string to_string(const Endpoint& endpoint);

}  // namespace jail::profile
