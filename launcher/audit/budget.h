// How many bytes one run may put into its log. Denials, lifecycle and loss have a share of their own that no flood of
// other events can use up, and what says how it ended is always written: beyond its share an event becomes a count
// (run.ended: `counted`). Pure.
#pragma once

#include <array>
#include <cstdint>

#include "event/event.h"

namespace jail::audit {

struct Quota {
  std::uint64_t bulk = 64ULL << 20;      // bytes of what was allowed or failed for an ordinary reason
  std::uint64_t reserved = 32ULL << 20;  // bytes of denials and lifecycle
};

enum class Weight {
  Always,    // a few in a run, and without them nothing can be read out of the log
  Reserved,  // what was denied, and what became of the run
  Bulk,
};
Weight weight_of(const event::Event& event) noexcept;

class Budget {
 public:
  explicit Budget(Quota quota) : left_{0, quota.reserved, quota.bulk}, quota_{0, quota.reserved, quota.bulk} {}

  // Whether this one is written; else it is counted.
  [[nodiscard]] bool admits(Weight weight) const noexcept {
    return weight == Weight::Always || left_[static_cast<std::size_t>(weight)] > 0;
  }
  enum class State { Left, JustSpent };
  State spend(Weight weight, std::uint64_t bytes) noexcept;
  [[nodiscard]] std::uint64_t quota(Weight weight) const noexcept { return quota_[static_cast<std::size_t>(weight)]; }

 private:
  std::array<std::uint64_t, 3> left_;
  std::array<std::uint64_t, 3> quota_;
};

}  // namespace jail::audit
