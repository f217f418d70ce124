#include "audit/keeper.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <future>

#include "base/clock.h"
#include "base/masked_signals.h"
#include "base/wakeup.h"

namespace jail::audit {
namespace {

constexpr std::chrono::seconds kPatience{1};
constexpr int kLookAgainMs = 1'000;  // at a sink that takes nothing: some day it has stalled for too long

}  // namespace

struct Keeper::Shared {
  Work work;
  Wakeup wake;
  std::atomic<bool> written = false;
  std::atomic<bool> stopping = false;
  Work::Sync of_a_short_run = Work::Sync::HandOver;  // read once `stopping`
  std::promise<void> done;
  std::uint64_t began = clock::boottime_ns();

  // The thread. `argument`: a shared pointer of its own.
  static void* begin(void* argument) {
    const std::unique_ptr<std::shared_ptr<Shared>> shared(static_cast<std::shared_ptr<Shared>*>(argument));
    (*shared)->serve();
    (*shared)->work = {};
    (*shared)->done.set_value();
    return nullptr;
  }

  void serve() {
    std::uint64_t due = 0;  // when to sync; 0: nothing to
    while (!stopping) {
      if (written && due == 0) due = clock::boottime_ns() + kBatchNs;
      wait(due);
      if (due == 0 || clock::boottime_ns() < due) continue;
      due = 0;
      written = false;  // before, so that what is written meanwhile counts again
      work.sync(Work::Sync::Wait);
    }
    if (!written) return;
    work.sync(clock::boottime_ns() - began < kBatchNs ? of_a_short_run : Work::Sync::Wait);
  }

  void wait(std::uint64_t due) {
    std::vector<pollfd> polled{{wake.fd(), POLLIN, 0}};
    for (const int full : work.flush()) polled.push_back({full, POLLOUT, 0});
    int timeout = polled.size() > 1 ? kLookAgainMs : -1;
    if (due != 0) {
      const std::uint64_t now = clock::boottime_ns();
      const int left = due > now ? static_cast<int>((due - now) / 1'000'000 + 1) : 0;
      timeout = timeout < 0 ? left : std::min(timeout, left);
    }
    (void)::poll(polled.data(), polled.size(), timeout);
    wake.lower();
  }
};

Keeper::~Keeper() { stop(); }

void Keeper::start(Work work) {
  auto shared = std::make_shared<Shared>();
  shared->work = std::move(work);
  const MaskedSignals for_the_thread;
  pthread_t thread;
  auto own = std::make_unique<std::shared_ptr<Shared>>(shared);
  if (::pthread_create(&thread, nullptr, Shared::begin, own.get()) == 0) {
    (void)own.release();
    (void)::pthread_detach(thread);
    shared_ = std::move(shared);
  }
}

void Keeper::note_written() noexcept {
  if (shared_ && !shared_->written.exchange(true)) shared_->wake.raise();
}

void Keeper::note_waiting() noexcept {
  if (shared_) shared_->wake.raise();
}

void Keeper::stop(Work::Sync of_a_short_run) noexcept {
  if (!shared_) return;
  shared_->of_a_short_run = of_a_short_run;
  shared_->stopping = true;
  shared_->wake.raise();
  (void)shared_->done.get_future().wait_for(kPatience);
  shared_.reset();
}

}  // namespace jail::audit
