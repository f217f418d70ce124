// That events were lost, and what the profile wants done about it (`monitor.on_loss`). Lost is, and nothing else:
//   - a record that a place of the log did not take: a full disk or quota, a reader that has gone, a queue that has
//     overflowed (256 KiB) or stalled (5 s), a lock that nobody gave back for a second;
//   - a record that the disk did not confirm, where `audit.durable: each`;
//   - a denial beyond the run's share of the log (audit/budget.h);
//   - a name or address that could not be read, of a call that went on (SECURITY B9);
//   - the source itself, while the jail lives.
// What is counted as planned is none: repeats, and what was allowed beyond its share.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>

#include "base/wakeup.h"
#include "profile/profile.h"

namespace jail::monitor {

class Loss {
 public:
  explicit Loss(profile::OnLoss reaction);

  // Passing: over as soon as the log takes records again. Lasting: what was missed cannot be told any more.
  enum class Sort : std::uint8_t { Passing, Lasting };
  // By any thread; waits for nobody. The first reason stays until it is over.
  void tell(Sort sort, const std::string& reason);
  // The jail may go on.
  void end();

  // Nothing of the jail may go on: what it asks for is not answered.
  [[nodiscard]] bool holds() const { return now().holds; }

  struct State {
    bool holds = false;
    Sort sort = Sort::Passing;
    std::string reason{};
    std::uint64_t count = 0;  // since it began
  };
  [[nodiscard]] State now() const;

  [[nodiscard]] profile::OnLoss reaction() const noexcept { return reaction_; }
  // Readable after a change, until heard().
  [[nodiscard]] int change() const noexcept { return change_.fd(); }
  void heard() const noexcept { change_.lower(); }

 private:
  profile::OnLoss reaction_;
  Wakeup change_;
  mutable std::mutex mutex_;
  State state_;
};

}  // namespace jail::monitor
