#include "base/text.h"

#include <algorithm>
#include <array>

namespace jail::text {
namespace {

constexpr std::string_view kDigits = "0123456789abcdef";

struct Range {
  char32_t first;
  char32_t last;
};

// In ascending order: control characters, line separators, and Unicode's Bidi_Control and Default_Ignorable_Code_Point
// (UAX #9, UAX #44), which also hold the joiners of scripts and emoji: a name that needs them reads worse, never wrong.
constexpr std::array kDeceptive{
    Range{0x0, 0x1f},         // C0
    Range{0x7f, 0x9f},        // DEL, C1: 0x9b alone begins a control sequence
    Range{0xad, 0xad},        // soft hyphen
    Range{0x34f, 0x34f},      // combining grapheme joiner
    Range{0x61c, 0x61c},      // Arabic letter mark
    Range{0x115f, 0x1160},    // Hangul fillers
    Range{0x17b4, 0x17b5},    // Khmer inherent vowels
    Range{0x180b, 0x180f},    // Mongolian selectors and vowel separator
    Range{0x200b, 0x200f},    // zero-width space and joiners, LRM, RLM
    Range{0x2028, 0x202e},    // line and paragraph separators, embeddings and overrides
    Range{0x2060, 0x206f},    // word joiner, invisible operators, isolates
    Range{0x3164, 0x3164},    // Hangul filler
    Range{0xfe00, 0xfe0f},    // variation selectors
    Range{0xfeff, 0xfeff},    // byte order mark
    Range{0xffa0, 0xffa0},    // halfwidth Hangul filler
    Range{0xfff0, 0xfffb},    // interlinear annotation
    Range{0x1bca0, 0x1bca3},  // shorthand format controls
    Range{0x1d173, 0x1d17a},  // musical format controls
    Range{0xe0000, 0xe0fff},  // tags, variation selectors
};
static_assert(std::ranges::is_sorted(kDeceptive, {}, &Range::first));

// What the first byte of a sequence says: its length, the bits it gives, and the range of the second byte, where
// RFC 3629 shuts out overlong forms, surrogates and what lies beyond U+10FFFF.
struct Lead {
  std::size_t size = 0;  // 0: begins nothing
  char32_t bits = 0;
  unsigned char second_first = 0x80;
  unsigned char second_last = 0xbf;
};

constexpr Lead lead_of(unsigned char byte) {
  if (byte < 0xc2) return {};
  if (byte < 0xe0) return {2, byte & 0x1fu};
  if (byte == 0xe0) return {3, 0, 0xa0, 0xbf};
  if (byte == 0xed) return {3, 0xd, 0x80, 0x9f};
  if (byte < 0xf0) return {3, byte & 0xfu};
  if (byte == 0xf0) return {4, 0, 0x90, 0xbf};
  if (byte < 0xf4) return {4, byte & 0x7u};
  if (byte == 0xf4) return {4, 4, 0x80, 0x8f};
  return {};
}

void append_byte(std::string& out, unsigned char byte) {
  out += "\\x";
  out += kDigits[byte >> 4];
  out += kDigits[byte & 0xf];
}

void append_visible(std::string& out, char32_t point) {
  if (point == '\n') out += "\\n";
  else if (point == '\t') out += "\\t";
  else if (point == '\r') out += "\\r";
  else if (point < 0x80) append_byte(out, static_cast<unsigned char>(point));
  else {
    out += "\\u{";
    for (int shift = point > 0xffff ? 16 : 12; shift >= 0; shift -= 4) out += kDigits[(point >> shift) & 0xf];
    out += '}';
  }
}

// Unicode's White_Space (UAX #44) but for what is deceptive anyway, and the empty Braille pattern.
constexpr std::array kBlank{Range{0x20, 0x20},     Range{0x1680, 0x1680}, Range{0x2000, 0x200a}, Range{0x202f, 0x202f},
                            Range{0x205f, 0x205f}, Range{0x2800, 0x2800}, Range{0x3000, 0x3000}, Range{0xa0, 0xa0}};

bool may_end_a_word(const Character& character) {
  const char32_t point = character.point;
  if (!character.valid) return false;
  if (point == '"' || point == '\'' || point == '|') return true;
  return std::ranges::any_of(kBlank, [=](Range range) { return point >= range.first && point <= range.last; });
}

enum class Deceptive { Keep, Show };

bool is_as_it_is(char byte) { return byte >= ' ' && byte <= '~' && byte != '\\'; }

std::string rewrite(std::string_view bytes, Deceptive deceptive) {
  std::string out;
  out.reserve(bytes.size());
  for (;;) {
    const auto odd = std::ranges::find_if_not(bytes, is_as_it_is);
    out.append(bytes.begin(), odd);
    bytes = {odd, bytes.end()};
    if (bytes.empty()) return out;
    const Character character = first_character(bytes);
    if (!character.valid) append_byte(out, static_cast<unsigned char>(character.point));
    else if (character.point == '\\') out += "\\\\";
    else if (deceptive == Deceptive::Show && is_deceptive(character.point)) append_visible(out, character.point);
    else out += bytes.substr(0, character.size);
    bytes.remove_prefix(character.size);
  }
}

// The value of a lower-case hexadecimal digit, or 16 and more.
std::size_t digit(char character) { return std::min<std::size_t>(kDigits.find(character), 16); }

// The byte that the escape at the front of `text` stands for.
struct Escaped {
  char byte;
  std::size_t size;
};
std::optional<Escaped> read_escape(std::string_view text) {
  if (text.size() >= 2 && text[1] == '\\') return Escaped{'\\', 2};
  if (text.size() < 4 || text[1] != 'x' || digit(text[2]) > 15 || digit(text[3]) > 15) return std::nullopt;
  return Escaped{static_cast<char>(digit(text[2]) << 4 | digit(text[3])), 4};
}

constexpr std::array<std::string_view, 7> kUnits{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};

// `amount` in units and one decimal, cut not rounded, so that 1023.99 never reads as 1024; ".0" is left out.
std::string with_tenths(std::uint64_t amount, std::uint64_t unit, std::string_view name) {
  std::string out = std::to_string(amount / unit);
  const std::uint64_t tenths = amount % unit * 10 / unit;
  if (tenths != 0) out.append(".").append(std::to_string(tenths));
  return out.append(" ").append(name);
}

// "2m 05s"
std::string in_two(std::uint64_t amount, std::uint64_t unit, char large, char small) {
  const std::uint64_t rest = amount % unit;
  return std::to_string(amount / unit) + large + (rest < 10 ? " 0" : " ") + std::to_string(rest) + small;
}

}  // namespace

Character first_character(std::string_view bytes) noexcept {
  const auto byte = [bytes](std::size_t at) { return static_cast<unsigned char>(bytes[at]); };
  if (byte(0) < 0x80) return {byte(0), 1, true};
  const Character broken{byte(0), 1, false};
  const Lead lead = lead_of(byte(0));
  if (lead.size == 0 || bytes.size() < lead.size) return broken;
  if (byte(1) < lead.second_first || byte(1) > lead.second_last) return broken;
  char32_t point = lead.bits;
  for (std::size_t at = 1; at < lead.size; ++at) {
    if ((byte(at) & 0xc0) != 0x80) return broken;
    point = point << 6 | (byte(at) & 0x3fu);
  }
  return {point, lead.size, true};
}

bool is_deceptive(char32_t point) noexcept {
  const auto range = std::ranges::lower_bound(kDeceptive, point, {}, &Range::last);
  return range != kDeceptive.end() && point >= range->first;
}

std::string escape(std::string_view bytes) { return rewrite(bytes, Deceptive::Keep); }

std::string for_people(std::string_view bytes) { return rewrite(bytes, Deceptive::Show); }

std::string word_for_people(std::string_view bytes) {
  bool is_plain = !bytes.empty();
  for (std::string_view rest = bytes; is_plain && !rest.empty(); rest.remove_prefix(first_character(rest).size))
    is_plain = !may_end_a_word(first_character(rest));
  if (is_plain) return for_people(bytes);
  std::string out = "\"";
  for (const char character : for_people(bytes)) out.append(character == '"' ? "\\" : "").push_back(character);
  return out + '"';
}

std::optional<std::string> unescape(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const std::size_t plain = std::min(text.find('\\'), text.size());
    out += text.substr(0, plain);
    text.remove_prefix(plain);
    if (text.empty()) break;
    const std::optional<Escaped> escaped = read_escape(text);
    if (!escaped) return std::nullopt;
    out += escaped->byte;
    text.remove_prefix(escaped->size);
  }
  return out;
}

std::string human_size(std::uint64_t bytes) {
  std::size_t name = 0;
  std::uint64_t unit = 1;
  for (; name + 1 < kUnits.size() && bytes / unit >= 1024; ++name) unit *= 1024;
  return with_tenths(bytes, unit, kUnits[name]);
}

std::string human_duration(std::chrono::nanoseconds duration) {
  const auto ns = static_cast<std::uint64_t>(std::max<std::int64_t>(duration.count(), 0));
  const std::uint64_t seconds = ns / 1'000'000'000;
  if (ns < 1'000) return with_tenths(ns, 1, "ns");
  if (ns < 1'000'000) return with_tenths(ns, 1'000, "us");
  if (seconds == 0) return with_tenths(ns, 1'000'000, "ms");
  if (seconds < 60) return with_tenths(ns, 1'000'000'000, "s");
  if (seconds < 3'600) return in_two(seconds, 60, 'm', 's');
  if (seconds < 86'400) return in_two(seconds / 60, 60, 'h', 'm');
  return in_two(seconds / 3'600, 24, 'd', 'h');
}

std::string hexadecimal(std::string_view bytes) {
  std::string out;
  out.reserve(2 * bytes.size());
  for (const char byte : bytes) {
    out += kDigits[static_cast<unsigned char>(byte) >> 4];
    out += kDigits[static_cast<unsigned char>(byte) & 0xf];
  }
  return out;
}

}  // namespace jail::text
