// What happens beside the run: when the disk is asked, and that nobody waits for it for long.
#include "audit/keeper.h"

#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <future>
#include <memory>
#include <mutex>

namespace jail::audit {
namespace {

using namespace std::chrono_literals;
using Sync = Keeper::Work::Sync;

// Counts what the thread does; shared with it, because a thread that hangs outlives its test.
struct Tally {
  std::mutex mutex;
  std::condition_variable changed;
  int waited = 0;
  int handed_over = 0;

  void count(Sync how) {
    const std::lock_guard<std::mutex> held(mutex);
    ++(how == Sync::Wait ? waited : handed_over);
    changed.notify_all();
  }
  bool wait_for_syncs(int wanted) {
    std::unique_lock<std::mutex> held(mutex);
    return changed.wait_for(held, 30s, [&] { return waited >= wanted; });
  }
};

Keeper::Work work_of(const std::shared_ptr<Tally>& tally) {
  return {.sync = [tally](Sync how) { tally->count(how); }, .flush = [] { return std::vector<int>(); }};
}

TEST(AuditKeeper, SyncsInBatchesAndOnlyWhatWasWritten) {
  const auto tally = std::make_shared<Tally>();
  Keeper keeper;
  const auto before = std::chrono::steady_clock::now();
  keeper.start(work_of(tally));
  for (int index = 0; index < 1'000; ++index) keeper.note_written();
  ASSERT_TRUE(tally->wait_for_syncs(1));
  EXPECT_GE(std::chrono::steady_clock::now() - before, 900ms);
  keeper.note_written();
  ASSERT_TRUE(tally->wait_for_syncs(2));
  keeper.stop();
  EXPECT_EQ(tally->waited, 2) << "nothing was written since";
  EXPECT_EQ(tally->handed_over, 0);
}

TEST(AuditKeeper, DoesNotHoldUpAShortRun) {
  const auto tally = std::make_shared<Tally>();
  Keeper keeper;
  keeper.start(work_of(tally));
  keeper.note_written();
  keeper.stop();
  EXPECT_LE(tally->waited, 0);
  EXPECT_EQ(tally->handed_over, 1);
}

TEST(AuditKeeper, IsLeftBehindWhenItHangs) {
  const auto hang = std::make_shared<std::promise<void>>();
  Keeper keeper;
  keeper.start({.sync = [hang](Sync) { hang->get_future().wait(); }, .flush = [] { return std::vector<int>(); }});
  keeper.note_written();
  const auto before = std::chrono::steady_clock::now();
  keeper.stop();
  EXPECT_LT(std::chrono::steady_clock::now() - before, 20s);
  hang->set_value();
}

}  // namespace
}  // namespace jail::audit
