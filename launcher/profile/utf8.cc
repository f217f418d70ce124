#include "profile/utf8.h"

#include <array>
#include <cstdio>

namespace jail::profile {
namespace {

struct Lead {
  std::size_t length;
  unsigned char mask;
  char32_t smallest;  // below it the encoding is overlong
};

constexpr Lead lead_of(unsigned char byte) {
  if (byte < 0x80) return {1, 0x7f, 0};
  if ((byte & 0xe0) == 0xc0) return {2, 0x1f, 0x80};
  if ((byte & 0xf0) == 0xe0) return {3, 0x0f, 0x800};
  if ((byte & 0xf8) == 0xf0) return {4, 0x07, 0x10000};
  return {0, 0, 0};
}

constexpr bool is_scalar_value(char32_t code) { return code <= 0x10ffff && (code < 0xd800 || code > 0xdfff); }

template <typename... Values>
std::string formatted(const char* format, Values... values) {
  std::array<char, 16> buffer{};
  std::snprintf(buffer.data(), buffer.size(), format, values...);
  return buffer.data();
}

std::string escaped(char32_t code) {
  if (code == '\n') return "\\n";
  if (code == '\t') return "\\t";
  if (code == '\r') return "\\r";
  return code < 0x100 ? formatted("\\x%02x", static_cast<unsigned>(code))
                      : formatted("\\u%04x", static_cast<unsigned>(code));
}

}  // namespace

Utf8Char decode_utf8(std::string_view text) noexcept {
  const auto byte_at = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const Lead lead = lead_of(byte_at(0));
  if (lead.length == 0 || lead.length > text.size()) return {};
  char32_t code = byte_at(0) & lead.mask;
  for (std::size_t i = 1; i < lead.length; ++i) {
    if ((byte_at(i) & 0xc0) != 0x80) return {};
    code = code << 6 | (byte_at(i) & 0x3f);
  }
  if (code < lead.smallest || !is_scalar_value(code)) return {};
  return {code, lead.length};
}

std::string quoted(std::string_view text) {
  constexpr std::size_t kLongest = 120;
  std::string result = "'";
  while (!text.empty() && result.size() < kLongest) {
    const Utf8Char next = decode_utf8(text);
    const std::size_t length = next.length == 0 ? 1 : next.length;
    if (next.length == 0)
      result += formatted("\\x%02x", static_cast<unsigned>(static_cast<unsigned char>(text[0])));
    else if (is_control(next.code))
      result += escaped(next.code);
    else
      result += text.substr(0, length);
    text.remove_prefix(length);
  }
  return result + (text.empty() ? "'" : "...'");
}

}  // namespace jail::profile
