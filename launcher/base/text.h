// Bytes that somebody else chose (paths, arguments, host names) as text that can neither break a format nor deceive
// an eye. Two ways, never mixed: `escape` for files, which loses nothing and is undone by `unescape`; `for_people`
// for terminals, which shows what would otherwise be invisible or act. No locale, no iconv.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace jail::text {

// One character at the front of `bytes`. Bytes that are not UTF-8 by RFC 3629 (overlong forms, surrogates, beyond
// U+10FFFF, cut short) come one at a time with `valid` false and the byte as `point`. `bytes` must not be empty.
struct Character {
  char32_t point = 0;
  std::size_t size = 1;
  bool valid = false;
};
Character first_character(std::string_view bytes) noexcept;

// What a terminal obeys or a reader cannot see: C0, DEL, C1, bidirectional controls, zero-width and other invisible
// characters, line and paragraph separators.
bool is_deceptive(char32_t point) noexcept;

// Any bytes as valid UTF-8: a backslash becomes `\\`, each byte that is not UTF-8 becomes `\xNN`, the rest stays.
std::string escape(std::string_view bytes);

// The bytes that `escape` was given; nothing where a backslash begins neither `\\` nor `\xNN` (lower-case digits).
std::optional<std::string> unescape(std::string_view text);

// For a terminal or a report, on one line: a deceptive character becomes `\n`, `\x1b` or `\u{202e}`, a byte that is
// not UTF-8 `\xff`, a backslash `\\`.
std::string for_people(std::string_view bytes);

// The same, so that nobody takes what stands in it for what stands around it: in double quotes, with a quote inside as
// `\"`, where it is empty or holds a quote, a '|' or anything that looks like a space.
std::string word_for_people(std::string_view bytes);

std::string human_size(std::uint64_t bytes);                    // "512 B", "64 MiB", "1.5 GiB"
std::string human_duration(std::chrono::nanoseconds duration);  // "850 ns", "1.9 ms", "3.2 s", "2m 05s", "1h 02m"

// Two lower-case hexadecimal digits a byte.
std::string hexadecimal(std::string_view bytes);

}  // namespace jail::text
