// What a live jail says of itself, what may be asked of it, and what it answers: records of fixed size, each one
// message of a SOCK_SEQPACKET socket. Both ends may be of different versions of jail: whoever reads a record of another
// size, or of another number, goes no further.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>
#include <type_traits>

namespace jail::registry {

// At most Size bytes, and what is longer is cut.
template <std::size_t Size>
struct Text {
  std::array<char, Size> bytes{};
  std::uint16_t size = 0;

  void set(std::string_view text) noexcept {
    size = static_cast<std::uint16_t>(std::min(text.size(), Size));
    text.copy(bytes.data(), size);
  }
  // Of a stranger's record, too.
  [[nodiscard]] std::string_view view() const noexcept { return {bytes.data(), std::min<std::size_t>(size, Size)}; }
};

// What somebody may give as a reason, in bytes: so it stands whole in each record, with all that is said around it.
inline constexpr std::size_t kMostOfReason = 192;

// The first message, to everybody who connects and may.
struct Status {
  static constexpr std::uint32_t kVersion = 1;
  enum class State : std::uint8_t { Starting, Running, Frozen };

  std::uint32_t version = kVersion;
  std::int32_t pid = 0;            // of the plugin, as the supervisor sees it; 0: it has not been started
  std::uint64_t started_ns = 0;    // CLOCK_BOOTTIME
  std::uint64_t cpu_ms = 0;        // of all its processes, those that have ended, too
  std::uint64_t memory = 0;        // bytes, resident; what is shared counts for each
  std::uint64_t processes = 0;     // now
  std::uint64_t events = 0;        // so far
  std::uint64_t denied = 0;        // of these
  State state = State::Starting;
  Text<20> run{};
  Text<256> command{};
  Text<1024> log{};                // a file of its log; empty: it has none
  Text<256> reason{};              // why it is frozen
};
static_assert(std::is_trivially_copyable_v<Status>);

struct Request {
  enum class Wish : std::uint32_t { Kill = 1, Freeze = 2, Thaw = 3 };
  std::uint32_t version = Status::kVersion;
  Wish wish = Wish::Kill;
  Text<256> reason{};
};
static_assert(std::is_trivially_copyable_v<Request>);

struct Reply {
  std::uint32_t version = Status::kVersion;
  Text<256> refusal{};  // empty: it is done
};
static_assert(std::is_trivially_copyable_v<Reply>);

}  // namespace jail::registry
