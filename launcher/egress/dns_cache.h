// What the host's servers have answered, for as long as that holds: a plugin that looks a name up before each
// connection asks them once. Bounded; time is nanoseconds of any steady clock.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "egress/dns_message.h"

namespace jail::egress {

class DnsCache {
 public:
  static constexpr std::size_t kMost = 1024;               // of names and types
  static constexpr std::uint32_t kMostSeconds = 3600;      // of an answer, whatever it says
  static constexpr std::uint32_t kSecondsOfNothing = 1;    // "no such name", "none of this type"

  // Kept for its least ttl, which may be none (RFC 1035, 3.2.1).
  void put(std::string_view name, std::uint16_t type, const Answer& answer, std::uint64_t now);
  // With what is left of the time of each address.
  [[nodiscard]] std::optional<Answer> find(std::string_view name, std::uint16_t type, std::uint64_t now) const;

 private:
  struct Kept {
    Answer answer;
    std::uint64_t since = 0;
    std::uint64_t until = 0;
  };
  static std::string key_of(std::string_view name, std::uint16_t type);
  void make_room(std::uint64_t now);

  std::unordered_map<std::string, Kept> kept_;
};

}  // namespace jail::egress
