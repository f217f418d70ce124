// What the log does beside the run, in a thread of its own that begins when a run takes longer: records reach the disk,
// and sinks that were full get what waits for them. Nobody ever waits for this thread for long: it may hang in a file
// system that does not answer.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

namespace jail::audit {

class Keeper {
 public:
  // Both are called by the thread alone.
  struct Work {
    enum class Sync {
      Wait,      // until the disk has it (fdatasync(2))
      HandOver,  // to the kernel's write-back, at once (sync_file_range(2))
    };
    std::function<void(Sync)> sync;
    std::function<std::vector<int>()> flush;  // hands over what waits; the descriptors that still take nothing
  };

  static constexpr std::uint64_t kBatchNs = 1'000'000'000;  // between two syncs

  Keeper() = default;
  ~Keeper();
  Keeper(const Keeper&) = delete;
  Keeper& operator=(const Keeper&) = delete;

  // Where no thread can be had, the kernel's own write-back and the next record do what the thread would have done.
  void start(Work work);
  void note_written() noexcept;  // there is something to sync
  void note_waiting() noexcept;  // there is something to flush
  // The last sync, if there is anything to it; a run of less than kBatchNs may be spared the wait for the disk.
  void stop(Work::Sync of_a_short_run = Work::Sync::HandOver) noexcept;

 private:
  struct Shared;
  std::shared_ptr<Shared> shared_;
};

}  // namespace jail::audit
