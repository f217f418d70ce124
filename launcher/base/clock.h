// The two clocks of the log: the calendar, which may be set back, and time since boot, which may not and counts
// suspend. No time zone data and no locale: everything is UTC.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace jail::clock {

using WallTime = std::chrono::sys_time<std::chrono::microseconds>;

WallTime wall_now() noexcept;          // CLOCK_REALTIME
std::uint64_t boottime_ns() noexcept;  // CLOCK_BOOTTIME (clock_gettime(2), Linux 2.6.39)

// "2026-11-21T00:54:45.123456Z" (RFC 3339, always 27 characters) for the years 0 to 9999.
std::string rfc3339(WallTime time);
std::optional<WallTime> parse_rfc3339(std::string_view text);  // that form only

}  // namespace jail::clock
