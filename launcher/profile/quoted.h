// Text that somebody else chose, inside a message.
#pragma once

#include <string>
#include <string_view>

namespace jail::profile {

// 'text' between apostrophes, made harmless for a terminal (base/text.h) and cut at 120 bytes.
std::string quoted(std::string_view text);

}  // namespace jail::profile
