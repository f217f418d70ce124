// The values of `filesystem`.
#pragma once

#include "profile/reader.h"

namespace jail::profile {

void read_grants(Reader& reader, const Node& list, Access access);
void read_hidden(Reader& reader, const Node& list);
void read_cwd(Reader& reader, const Node& value);

}  // namespace jail::profile
