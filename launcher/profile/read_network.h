// The values of `network`.
#pragma once

#include "profile/reader.h"

namespace jail::profile {

void read_allowed(Reader& reader, const Node& list);
void read_listens(Reader& reader, const Node& list);
void read_sockets(Reader& reader, const Node& list);

}  // namespace jail::profile
