// What keeps a plugin from flooding the resolver, and from talking to the world through it: a name that is looked up
// is a message to whoever runs its zone. Pure; time is nanoseconds of any steady clock.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

namespace jail::egress {

inline constexpr std::uint64_t kSecond = 1'000'000'000;

// So many questions a second, and so many at once.
class RateLimit {
 public:
  RateLimit(std::uint32_t per_second, std::uint32_t burst) : per_second_(per_second), burst_(burst), left_(burst) {}
  bool take(std::uint64_t now) noexcept;

 private:
  double per_second_;
  double burst_;
  double left_;
  std::uint64_t last_ = 0;
};

// So many different names below each wildcard in a minute: 256 names of 200 octets are 0.9 KB a second. A name that
// was asked within the minute costs nothing.
class NameBudget {
 public:
  explicit NameBudget(std::size_t most) : most_(most) {}
  bool take(const std::string& zone, std::string_view name, std::uint64_t now);

 private:
  struct Minute {
    std::uint64_t began = 0;
    std::unordered_set<std::string> names;
  };
  std::size_t most_;
  std::unordered_map<std::string, Minute> zones_;  // no more than the profile has
};

}  // namespace jail::egress
