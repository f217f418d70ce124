#include "profile/quantity.h"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <limits>
#include <optional>
#include <span>

#include "profile/quoted.h"

namespace jail::profile {
namespace {

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};

// Largest first, so that formatting finds the shortest text.
constexpr std::array kSizeUnits{Unit{"T", 1ULL << 40}, Unit{"G", 1ULL << 30}, Unit{"M", 1ULL << 20},
                                Unit{"K", 1ULL << 10}, Unit{"B", 1}};
constexpr std::array kTimeUnits{Unit{"d", 86'400'000}, Unit{"h", 3'600'000}, Unit{"m", 60'000}, Unit{"s", 1'000},
                                Unit{"ms", 1}};

constexpr std::uint64_t kMostBytes = std::numeric_limits<std::int64_t>::max();
constexpr std::uint64_t kLeastRing = 64 << 10;
constexpr std::uint64_t kMostRing = 256 << 20;
constexpr std::uint64_t kMostMilliseconds = std::numeric_limits<std::int64_t>::max() / 1'000'000;

struct Form {
  std::span<const Unit> units;
  std::uint64_t most;
  std::string_view kind;   // "a size"
  std::string_view shape;  // what a good one looks like
};

const Form kSize{kSizeUnits, kMostBytes, "size", "a whole number with a unit, such as 512M (B, K, M, G or T)"};
const Form kTime{kTimeUnits, kMostMilliseconds, "time", "a whole number with a unit, such as 30s (ms, s, m, h or d)"};

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Digits without sign, space or needless zeros in front ("010" is eight to some readers of YAML).
bool is_plain_number(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, is_digit) && (text.size() == 1 || text[0] != '0');
}

// Nothing when it does not fit.
std::optional<std::uint64_t> number(std::string_view digits) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return value;
}

template <typename Value>
Quantity<Value> refused(std::string problem, std::string_view hint) {
  return {{}, std::move(problem), std::string(hint)};
}

const Unit* unit_named(const Form& form, std::string_view name) {
  const auto found = std::ranges::find(form.units, name, &Unit::name);
  return found == form.units.end() ? nullptr : &*found;
}

Quantity<std::uint64_t> parse(std::string_view text, const Form& form) {
  const auto digits = static_cast<std::size_t>(std::ranges::find_if_not(text, is_digit) - text.begin());
  const std::string_view amount = text.substr(0, digits);
  const Unit* unit = unit_named(form, text.substr(digits));
  if (!is_plain_number(amount) || unit == nullptr)
    return refused<std::uint64_t>(quoted(text) + " is not a " + std::string(form.kind), form.shape);
  const std::optional<std::uint64_t> value = number(amount);
  if (!value || *value > form.most / unit->factor) return refused<std::uint64_t>(quoted(text) + " is too large", "");
  if (*value == 0) return refused<std::uint64_t>(quoted(text) + " is zero", "leave the key out for no limit of yours");
  return {*value * unit->factor, {}, {}};
}

std::string format(std::uint64_t value, std::span<const Unit> units) {
  for (const Unit& unit : units)
    if (value % unit.factor == 0) return std::to_string(value / unit.factor).append(unit.name);
  return {};
}

// from_chars() also takes "inf", "nan" and exponents, so the characters are looked at first.
bool is_decimal(std::string_view text) {
  const auto allowed = [](char c) { return is_digit(c) || c == '.'; };
  return !text.empty() && std::ranges::all_of(text, allowed) && std::ranges::count(text, '.') <= 1 &&
         is_digit(text.front()) && is_digit(text.back());
}

}  // namespace

Quantity<std::uint64_t> parse_size(std::string_view text) { return parse(text, kSize); }

Quantity<std::uint64_t> parse_ring(std::string_view text) {
  Quantity<std::uint64_t> size = parse_size(text);
  const bool good = std::has_single_bit(size.value) && size.value >= kLeastRing && size.value <= kMostRing;
  if (!size.problem.empty() || good) return size;
  return refused<std::uint64_t>(quoted(text) + " is no size of a ring", "a power of two from 64K to 256M, such as 16M");
}

Quantity<std::uint64_t> parse_duration(std::string_view text) { return parse(text, kTime); }

Quantity<double> parse_cores(std::string_view text) {
  constexpr std::string_view kShape = "cores as a decimal number, such as 1.5; a tenth of one core is 0.1";
  double value = 0;
  if (!is_decimal(text) || std::from_chars(text.data(), text.data() + text.size(), value).ec != std::errc())
    return refused<double>(quoted(text) + " is not a number of cores", kShape);
  if (value < 0.01 || value > 4096)
    return refused<double>(quoted(text) + " is out of range: 0.01 to 4096 cores", kShape);
  return {value, {}, {}};
}

Quantity<std::uint64_t> parse_count(std::string_view text, std::uint64_t most) {
  const std::string shape = "a whole number from 1 to " + std::to_string(most);
  if (!is_plain_number(text)) return refused<std::uint64_t>(quoted(text) + " is not a whole number", shape);
  const std::optional<std::uint64_t> value = number(text);
  if (!value || *value > most) return refused<std::uint64_t>(quoted(text) + " is too large", shape);
  if (*value == 0) return refused<std::uint64_t>(quoted(text) + " is zero", shape);
  return {*value, {}, {}};
}

std::string format_size(std::uint64_t bytes) { return format(bytes, kSizeUnits); }
std::string format_duration(std::uint64_t milliseconds) { return format(milliseconds, kTimeUnits); }

std::string format_cores(double cores) {
  std::array<char, 32> buffer{};
  const auto [end, error] =
      std::to_chars(buffer.data(), buffer.data() + buffer.size(), cores, std::chars_format::fixed);
  return error == std::errc() ? std::string(buffer.data(), end) : std::string();
}

}  // namespace jail::profile
