// Takes secret values out of what is about to be written down. Literal occurrences only: a secret that the plugin
// encodes, splits or shortens is not recognised, and one of less than 8 bytes is not searched for, because replacing
// "1" or "root" wherever it stands would wreck the log and tell the value by its gaps (SECURITY D5). Where a short
// secret stands as an argument, the caller knows the position and says so.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace jail::event {

class Redactor {
 public:
  static constexpr std::size_t kShortest = 8;
  static constexpr std::string_view kMark = "[secret]";

  Redactor() = default;
  explicit Redactor(std::vector<std::string> secrets);

  [[nodiscard]] bool finds_nothing() const noexcept { return secrets_.empty(); }
  // `text` with every stretch that any secret covers replaced by one kMark.
  [[nodiscard]] std::string redact(std::string_view text) const;

 private:
  std::vector<std::string> secrets_;
};

// argv with the arguments at `secret_positions` (from 0) replaced whole, whatever their length. Positions beyond the
// end are ignored. The encoder does the literal search by itself, for this as for every other member.
std::vector<std::string> redact_positions(std::vector<std::string> argv, std::span<const std::size_t> secret_positions);

}  // namespace jail::event
