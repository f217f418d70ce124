// The head of an HTTP/1 request in the clear (RFC 9112): the host that it is for. Read more strictly than a server
// would: what two of them could understand differently is refused.
#pragma once

#include "egress/heard.h"

namespace jail::egress {

// Other: it begins with no line that any server would take for a request, be it without a version or with odd white
// space. Faulty with Hidden: HTTP/2.
Heard read_head(Octets stream);

}  // namespace jail::egress
