#include "profile/scalars.h"

#include <algorithm>
#include <array>
#include <string>

namespace jail::profile {
namespace {

constexpr std::array<std::string_view, 6> kTruths{"true", "false", "yes", "no", "on", "off"};

bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::string lower_case(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return lower;
}

// 0x1f, 0o17, 0b11: nothing but a prefix and digits of its base, or something near enough to be quoted too.
bool is_prefixed_number(std::string_view text) {
  const auto is_hexadecimal = [](char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || c == '_'; };
  return text.size() > 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'o' || text[1] == 'b') &&
         std::ranges::all_of(text.substr(2), is_hexadecimal);
}

// 12, 1_000, 1.5, .5, 1e9, 12:30 (base 60).
bool is_decimal_number(std::string_view text) {
  bool digits = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    digits |= is_digit(c);
    const bool is_sign_of_exponent = (c == '+' || c == '-') && i > 0 && text[i - 1] == 'e';
    if (!is_digit(c) && c != '.' && c != '_' && c != ':' && !(c == 'e' && digits) && !is_sign_of_exponent) return false;
  }
  return digits && std::ranges::count(text, 'e') <= 1 && text.front() != '_' && text.front() != ':';
}

bool is_date(std::string_view text) {  // 2026-01-31, with or without a time
  return text.size() >= 8 && std::ranges::all_of(text.substr(0, 4), is_digit) && text[4] == '-' &&
         std::ranges::all_of(
             text, [](char c) { return is_digit(c) || std::string_view("-:.tz +").find(c) != std::string_view::npos; });
}

}  // namespace

std::string_view other_meaning(std::string_view plain) {
  if (plain.empty() || plain.size() > 64) return {};
  const std::string lower = lower_case(plain);
  if (std::ranges::find(kTruths, lower) != kTruths.end()) return "a truth value";
  if (lower == "~" || lower == "null") return "nothing";
  std::string_view number = lower;
  if (number[0] == '+' || number[0] == '-') number.remove_prefix(1);
  if (number.empty()) return {};
  if (number == ".inf" || number == ".nan" || is_prefixed_number(number) || is_decimal_number(number))
    return "a number";
  return is_date(lower) ? "a date" : std::string_view{};
}

}  // namespace jail::profile
