// Events alike are told once, and then how often. The first of a kind is passed on at once; further ones are counted,
// and the count is passed on when it has waited long enough, when there are too many kinds to remember, and at the end.
// So no denial is dropped, memory is bounded, and a loop of one denial is a line every few seconds.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <unordered_map>

#include "event/event.h"

namespace jail::monitor {

class Coalescer {
 public:
  using Pass = std::function<void(const event::Event&)>;

  static constexpr std::size_t kMostKinds = 1024;
  static constexpr std::size_t kMostSamples = 5;  // of paths that are expected to be absent, which are of one kind
  static constexpr std::uint64_t kLongestWaitNs = 10'000'000'000;

  explicit Coalescer(Pass pass) : pass_(std::move(pass)) {}

  // The event must have its mono_ns.
  void add(event::Event event);
  // Passes on what has waited until `now_ns` (CLOCK_BOOTTIME); everything with ~0.
  void flush(std::uint64_t now_ns);
  // When something will have waited long enough; none: nothing waits.
  [[nodiscard]] std::optional<std::uint64_t> next_flush() const { return due_; }

 private:
  struct Waiting {
    event::Event event;        // the last of its kind
    event::Repeats repeats{};  // none: count 0
    std::uint64_t due = 0;
  };
  void pass_on(Waiting& waiting);

  Pass pass_;
  std::unordered_map<std::string, Waiting> kinds_;
  std::optional<std::uint64_t> due_;
};

}  // namespace jail::monitor
