// Sizes, times, cores and counts as people write them, both ways. Whatever is not exactly one of these forms is refused
// with a reason: a limit that was misread is a limit that is not there.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace jail::profile {

template <typename Value>
struct Quantity {
  Value value{};
  std::string problem;  // empty when the text was good
  std::string hint;
};

// Bytes: a whole number and B, K, M, G or T (binary: 1K is 1024), from 1B up to 2^63 - 1.
Quantity<std::uint64_t> parse_size(std::string_view text);

// Bytes of a ring between the kernel and its reader: a size that is a power of two, from 64K to 256M.
Quantity<std::uint64_t> parse_ring(std::string_view text);

// Milliseconds: a whole number and ms, s, m, h or d, above zero, below 2^63 nanoseconds (292 years: what timers hold).
Quantity<std::uint64_t> parse_duration(std::string_view text);

// Processor cores: a decimal number from 0.01 (the smallest share the kernel keeps, cgroup cpu.max: 1 ms of 100) to
// 4096.
Quantity<double> parse_cores(std::string_view text);

// A whole number of things, from 1 to `most`.
Quantity<std::uint64_t> parse_count(std::string_view text, std::uint64_t most);

// The shortest text that parses back to the same value.
std::string format_size(std::uint64_t bytes);
std::string format_duration(std::uint64_t milliseconds);
std::string format_cores(double cores);

}  // namespace jail::profile
