// The first message of a TLS connection: the client's hello (RFC 8446, 4.1.2; RFC 5246, 7.4.1.2), in which it says for
// whom the connection is (RFC 6066, 3). It may come in several records.
#pragma once

#include "egress/heard.h"

namespace jail::egress {

// By the type and the version of its first record; also where the second of these is still to come.
bool begins_like_tls(Octets stream) noexcept;

// A hello in the form of SSL 2.0, which servers took for newer versions, too (RFC 5246, E.2): it cannot have a name.
// Incomplete: it may yet be one. Faulty, or Other.
Heard read_old_hello(Octets stream);

// Incomplete, Named or Faulty. `stream`: one that begins like TLS.
Heard read_hello(Octets stream);

}  // namespace jail::egress
