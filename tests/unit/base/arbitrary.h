// Bytes a property test tries: half of them from the alphabet that breaks text layers, half of any value. The seed is
// fixed, so a failure comes back.
#pragma once

#include <array>
#include <cstddef>
#include <random>
#include <string>
#include <string_view>

namespace jail::test {

inline std::string arbitrary_bytes(std::mt19937_64& random, std::size_t longest) {
  // clang-format off
  constexpr std::array<std::string_view, 22> kNasty{
      "\\", "\\\\", "\\x41", "\"", "\n", "\r", "\x1b[2J", "\x9b", "\x7f", "\xc2\x9b", "\xe2\x80\xae",
      "\xe2\x80\xa8", "\xed\xa0\x80", "\xc0", "\xf0\x9f\x98\x80", "\xf4", "\xef\xbb\xbf", "{\"a\":", "}", "x", "/",
      std::string_view("\0", 1)};
  // clang-format on
  std::string bytes;
  const std::size_t size = random() % (longest + 1);
  while (bytes.size() < size) {
    if (random() % 2 == 0) bytes += static_cast<char>(random());
    else bytes += kNasty[random() % kNasty.size()];
  }
  return bytes;
}

}  // namespace jail::test
