// Calls worth asking a filter about: every value its clauses look at, its neighbours, and what a 64-bit register can
// hold above an int.
#pragma once

#include <linux/audit.h>

#include <algorithm>
#include <array>
#include <random>
#include <vector>

#include "confine/seccomp.h"

namespace jail::test {

inline constexpr std::uint64_t kGarbageAbove = 0xdeadbeef00000000;

inline seccomp_data call_of(std::uint32_t number, std::array<std::uint64_t, 6> arguments = {}) {
  seccomp_data call{};
  call.nr = static_cast<int>(number);
  call.arch = AUDIT_ARCH_X86_64;
  for (std::size_t i = 0; i < arguments.size(); ++i) call.args[i] = arguments[i];
  return call;
}

inline seccomp_data call_of(std::string_view name, std::array<std::uint64_t, 6> arguments = {}) {
  return call_of(confine::seccomp::find_row(name)->number, arguments);
}

inline void add_with_neighbours(std::vector<std::uint64_t>& values, std::uint32_t value) {
  for (const std::uint32_t near : {value, value + 1, value - 1, ~value})
    values.insert(values.end(), {near, near | kGarbageAbove});
}

// For each argument the values that make a difference to this rule; just 0 where none does.
inline std::array<std::vector<std::uint64_t>, 6> interesting_values(const confine::seccomp::Rule& rule) {
  std::array<std::vector<std::uint64_t>, 6> values;
  for (auto& of_argument : values) of_argument = {0};
  for (const auto& clause : rule.clauses)
    for (const auto& test : clause.all()) {
      auto& of_argument = values[test.argument];
      for (const std::uint32_t value : test.wanted()) {
        add_with_neighbours(of_argument, value);
        add_with_neighbours(of_argument, value | ~test.mask);
      }
      for (std::uint32_t bit = 1; bit != 0; bit <<= 1)
        if ((test.mask & bit) != 0 && test.mask != ~std::uint32_t{0}) add_with_neighbours(of_argument, bit);
    }
  for (auto& of_argument : values) {
    std::ranges::sort(of_argument);
    of_argument.erase(std::ranges::unique(of_argument).begin(), of_argument.end());
  }
  return values;
}

// A call that a filter may well have something to say about.
class RandomCalls {
 public:
  explicit RandomCalls(const confine::seccomp::Plan& plan) {
    for (const auto& rule : plan.rules) values_.push_back(interesting_values(rule));
  }

  seccomp_data next() {
    const auto number = static_cast<std::uint32_t>(random_() % 600);
    seccomp_data call = call_of(number);
    for (std::size_t i = 0; i < 6; ++i) call.args[i] = argument(number, i);
    if (one_in(50)) call.arch = one_in(2) ? static_cast<std::uint32_t>(AUDIT_ARCH_I386) : next_word();
    if (one_in(50)) call.nr = static_cast<int>(number | 0x40000000U);
    if (one_in(50)) call.nr = static_cast<int>(next_word());
    call.instruction_pointer = random_();
    return call;
  }

 private:
  bool one_in(unsigned times) { return random_() % times == 0; }
  std::uint32_t next_word() { return static_cast<std::uint32_t>(random_()); }

  std::uint64_t argument(std::uint32_t number, std::size_t index) {
    if (number >= values_.size() || one_in(4)) return random_();
    const auto& values = values_[number][index];
    const std::uint64_t value = values[random_() % values.size()];
    return one_in(4) ? value ^ (std::uint64_t{1} << (random_() % 64)) : value;
  }

  std::mt19937_64 random_{20240607};
  std::vector<std::array<std::vector<std::uint64_t>, 6>> values_;
};

inline confine::seccomp::Options every_gap() {
  using enum confine::seccomp::Gap;
  return {.gaps = {PathMetadata, Truncate, Signals, Processes, Ipc}};
}

}  // namespace jail::test
