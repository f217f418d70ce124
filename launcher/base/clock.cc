#include "base/clock.h"

#include <array>
#include <charconv>
#include <ctime>

namespace jail::clock {
namespace {

constexpr std::string_view kForm = "0000-00-00T00:00:00.000000Z";

// Where each number of kForm stands.
struct Field {
  std::size_t at;
  std::size_t width;
};
constexpr std::array kFields{Field{0, 4},  Field{5, 2},  Field{8, 2}, Field{11, 2},
                             Field{14, 2}, Field{17, 2}, Field{20, 6}};
using Numbers = std::array<unsigned, kFields.size()>;

void put(std::string& text, Field field, unsigned number) {
  for (std::size_t place = field.width; place-- > 0; number /= 10)
    text[field.at + place] = static_cast<char>('0' + number % 10);
}

std::optional<unsigned> get(std::string_view text, Field field) {
  const char* const first = text.data() + field.at;
  const char* const last = first + field.width;
  unsigned number = 0;
  const std::from_chars_result result = std::from_chars(first, last, number);
  if (result.ec != std::errc{} || result.ptr != last) return std::nullopt;
  return number;
}

bool has_form(std::string_view text) {
  if (text.size() != kForm.size()) return false;
  for (std::size_t at = 0; at < kForm.size(); ++at)
    if (kForm[at] != '0' && text[at] != kForm[at]) return false;
  return true;
}

std::optional<Numbers> numbers_of(std::string_view text) {
  if (!has_form(text)) return std::nullopt;
  Numbers numbers{};
  for (std::size_t index = 0; index < kFields.size(); ++index) {
    const std::optional<unsigned> number = get(text, kFields[index]);
    if (!number) return std::nullopt;
    numbers[index] = *number;
  }
  return numbers;
}

timespec read(clockid_t which) noexcept {
  timespec now{};
  (void)::clock_gettime(which, &now);  // fails only for a clock or an address that does not exist
  return now;
}

}  // namespace

WallTime wall_now() noexcept {
  const timespec now = read(CLOCK_REALTIME);
  return WallTime(std::chrono::seconds(now.tv_sec) + std::chrono::microseconds(now.tv_nsec / 1'000));
}

std::uint64_t boottime_ns() noexcept {
  const timespec now = read(CLOCK_BOOTTIME);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(now.tv_nsec);
}

std::string rfc3339(WallTime time) {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(time - day);
  const Numbers numbers{static_cast<unsigned>(static_cast<int>(date.year())),
                        static_cast<unsigned>(date.month()),
                        static_cast<unsigned>(date.day()),
                        static_cast<unsigned>(clock.hours().count()),
                        static_cast<unsigned>(clock.minutes().count()),
                        static_cast<unsigned>(clock.seconds().count()),
                        static_cast<unsigned>(clock.subseconds().count())};
  std::string text(kForm);
  for (std::size_t index = 0; index < kFields.size(); ++index) put(text, kFields[index], numbers[index]);
  return text;
}

std::optional<WallTime> parse_rfc3339(std::string_view text) {
  using namespace std::chrono;
  const std::optional<Numbers> numbers = numbers_of(text);
  if (!numbers) return std::nullopt;
  const auto [y, m, d, hour, minute, second, micro] = *numbers;
  const year_month_day date(year(static_cast<int>(y)), month(m), day(d));
  if (!date.ok() || hour > 23 || minute > 59 || second > 59) return std::nullopt;
  return WallTime(sys_days(date)) + hours(hour) + minutes(minute) + seconds(second) + microseconds(micro);
}

}  // namespace jail::clock
