#include "run/io_rate.h"

#include <algorithm>
#include <cstdlib>
#include <sstream>
#include <string_view>

namespace jail::run {
namespace {

constexpr double kMet = 0.95;
constexpr double kNsPerSecond = 1e9;

std::uint64_t value_of(const std::string& word, std::string_view key) {
  return word.starts_with(key) ? std::strtoull(word.c_str() + key.size(), nullptr, 10) : 0;
}

// What is counted of a disk that has been away begins anew.
std::uint64_t since(std::uint64_t now, std::uint64_t then) { return now - std::min(now, then); }

}  // namespace

// Lines "8:0 rbytes=1 wbytes=2 rios=...", one a device.
IoRate::Devices IoRate::devices_in(const std::string& io_stat) {
  Devices devices;
  std::istringstream lines(io_stat);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string number;
    words >> number;
    Moved& moved = devices[number];
    for (std::string word; words >> word;) {
      moved.read = std::max(moved.read, value_of(word, "rbytes="));
      moved.written = std::max(moved.written, value_of(word, "wbytes="));
    }
  }
  return devices;
}

IoRate::IoRate(std::uint64_t limit, const std::string& io_stat, std::uint64_t now_ns)
    : limit_(limit), seen_(devices_in(io_stat)), seen_ns_(now_ns) {}

bool IoRate::is_met(const std::string& io_stat, std::uint64_t now_ns) {
  const std::uint64_t span = now_ns - seen_ns_;
  if (span < kLeastSpanNs) return false;
  const double met = kMet * static_cast<double>(limit_) * static_cast<double>(span) / kNsPerSecond;
  Devices now = devices_in(io_stat);
  const bool is = std::ranges::any_of(now, [&](const auto& device) {
    const Moved& then = seen_[device.first];
    const Moved& moved = device.second;
    return static_cast<double>(std::max(since(moved.read, then.read), since(moved.written, then.written))) >= met;
  });
  seen_ = std::move(now);
  seen_ns_ = now_ns;
  return is;
}

}  // namespace jail::run
