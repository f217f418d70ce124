// The first message of a TLS connection: the client's hello (RFC 8446, 4.1.2; RFC 5246, 7.4.1.2), in which it says for
// whom the connection is (RFC 6066, 3). It may come in several records.
#pragma once

#include "egress/heard.h"

namespace jail::egress {

// By the type and the version of its first record; also where the second of these is still to come.
bool begins_like_tls(Octets stream) noexcept;

// Incomplete, Named or Faulty. `stream`: one that begins like TLS.
Heard read_hello(Octets stream);

}  // namespace jail::egress
