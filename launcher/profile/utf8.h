// UTF-8 one character at a time, and which characters may not be shown to people as they are.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace jail::profile {

struct Utf8Char {
  char32_t code = 0;
  std::size_t length = 0;  // bytes; 0: no valid character starts here (truncated, overlong, surrogate, above U+10FFFF)
};

// The character at the start of `text`, which must not be empty (RFC 3629).
Utf8Char decode_utf8(std::string_view text) noexcept;

// Control characters (C0, DEL, C1), line and paragraph separators, bidirectional controls and the byte order mark:
// they move a terminal's cursor or make text read differently from what it says (CVE-2021-42574).
constexpr bool is_control(char32_t code) noexcept {
  return code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x61c || (code >= 0x200e && code <= 0x200f) ||
         (code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069) || code == 0xfeff;
}

// 'text' between apostrophes for a message: controls and bytes that are no UTF-8 as \n, \x1b or \u202e, cut at 120 bytes.
std::string quoted(std::string_view text);

}  // namespace jail::profile
