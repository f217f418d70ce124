#include "trace/watch.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <poll.h>

#include <atomic>
#include <cerrno>
#include <cstring>

#include "base/clock.h"
#include "base/error.h"
#include "base/masked_signals.h"
#include "base/wakeup.h"
#include "bpf/events.h"
#include "sys/process.h"
#include "trace/decode.h"

namespace jail::trace {
namespace {

constexpr int kBusyMs = 10;    // a ring of 1 MiB lasts for so long at 300,000 events a second
constexpr int kIdleMs = 100;   // a record waits no longer
constexpr int kPatienceMs = 5000;
constexpr std::uint64_t kNsPerMs = 1'000'000;
constexpr std::uint64_t kNsPerSecond = 1'000'000'000;

struct CloseRing {
  void operator()(ring_buffer* ring) const noexcept { ::ring_buffer__free(ring); }
};
using Ring = std::unique_ptr<ring_buffer, CloseRing>;

std::string problem(const char* what) { return std::string(what) + ": " + std::strerror(errno); }

// Of this process's own making.
class OwnFeed : public Feed {
 public:
  OwnFeed(Entry entry, Tracer::Attached attached) : entry_(std::move(entry)), attached_(std::move(attached)) {}

  [[nodiscard]] const Fd& ring() const override { return entry_.ring(); }
  std::optional<std::uint64_t> lost(std::string&) override { return entry_.counts().lost; }
  void close() noexcept override {
    attached_ = {};
    entry_.remove();
  }

 private:
  Entry entry_;
  Tracer::Attached attached_;
};

std::unique_ptr<Feed> enter(const Tracer& tracer, const Wanted& wanted, std::string& why) {
  const std::optional<std::uint32_t> space = pid_namespace_of(wanted.member);
  Fd member = sys::try_pidfd_open(wanted.member);
  if (!space || !member) {
    why = problem("looking for the pid namespace");
    return nullptr;
  }
  Fd ring = make_ring(wanted.ring_bytes);
  if (!ring) {
    why = problem("making a ring");
    return nullptr;
  }
  const Row row{.space = *space, .what = wanted.what, .ring_bytes = wanted.ring_bytes};
  std::optional<Entry> entry = Entry::make(tracer.programs(), row, std::move(ring), std::move(member), why);
  if (!entry) return nullptr;
  Tracer::Attached attached = tracer.attach(wanted.families, wanted.cgroup, why);
  if (!why.empty()) return nullptr;
  return std::make_unique<OwnFeed>(std::move(*entry), std::move(attached));
}

}  // namespace

struct Watching::State {
  State(std::unique_ptr<Feed> from, Log to) : feed(std::move(from)), log(std::move(to)) {}

  std::unique_ptr<Feed> feed;
  Log log;
  Wakeup stop, done;
  std::uint64_t undecodable = 0;
  std::uint64_t told_lost = 0, looked_ns = clock::boottime_ns();
  std::atomic<std::uint64_t> lost = 0;
  bool feed_ended = false;

  void run();
  void read(ring_buffer& ring_reader);
  void count_lost();
  void tell_lost();
  void keep(std::span<const std::byte> record);
};

void Watching::State::keep(std::span<const std::byte> record) {
  if (const std::optional<event::Event> event = decode(record)) log(*event);
  else ++undecodable;
}

void Watching::State::count_lost() {
  if (feed_ended) return;
  std::string why;
  if (const std::optional<std::uint64_t> count = feed->lost(why)) {
    lost = *count + undecodable;
    return;
  }
  feed_ended = true;
  log({.body = event::MonitorChanged{"notify", std::move(why)}, .source = event::Source::Ebpf});
}

// At most once a second while it goes on, and at the end.
void Watching::State::tell_lost() {
  looked_ns = clock::boottime_ns();
  count_lost();
  if (lost == told_lost) return;
  event::Event event{.body = event::MonitorLost{lost - told_lost, "the plugin was faster than its events were read"},
                     .source = event::Source::Ebpf};
  event.mono_ns = looked_ns;
  told_lost = lost;
  log(event);
}

void Watching::State::read(ring_buffer& ring_reader) {
  int wait_ms = kBusyMs;
  for (bool stopping = false; !stopping;) {
    pollfd polled[] = {{stop.fd(), POLLIN, 0}, {::ring_buffer__epoll_fd(&ring_reader), POLLIN, 0}};
    check(TEMP_FAILURE_RETRY(::poll(polled, std::size(polled), wait_ms)), "poll");
    stopping = polled[0].revents != 0;
    int records = 0;
    while (const int some = ::ring_buffer__consume(&ring_reader)) {
      if (some < 0) throw SysError(-some, "reading the ring");
      records += some;
    }
    wait_ms = records > 0 ? kBusyMs : kIdleMs;
    if (clock::boottime_ns() - looked_ns > kNsPerSecond) tell_lost();
  }
  tell_lost();
}

void Watching::State::run() {
  const auto keep_one = [](void* state, void* data, std::size_t size) {
    static_cast<State*>(state)->keep({static_cast<const std::byte*>(data), size});
    return 0;
  };
  const Ring reader(::ring_buffer__new(feed->ring().get(), keep_one, this, nullptr));
  if (!reader) throw SysError(errno, "mapping the ring");
  read(*reader);
}

std::unique_ptr<Watching> Watching::start(const Tracer& tracer, Wanted wanted, std::string& why) {
  std::unique_ptr<Feed> feed = enter(tracer, wanted, why);
  return feed ? start(std::move(feed), std::move(wanted.log)) : nullptr;
}

std::unique_ptr<Watching> Watching::start(std::unique_ptr<Feed> feed, Log log) {
  return std::unique_ptr<Watching>(new Watching(std::make_shared<State>(std::move(feed), std::move(log))));
}

Watching::Watching(std::shared_ptr<State> state) : state_(std::move(state)) {
  const MaskedSignals for_the_thread;
  thread_ = std::thread([mine = state_] {
    try {
      mine->run();
    } catch (const std::exception& failure) {
      mine->log({.body = event::MonitorChanged{"none", failure.what()}, .source = event::Source::Ebpf});
    }
    mine->done.raise();
  });
}

Watching::~Watching() { (void)finish(); }

Watching::End Watching::finish() {
  if (end_) return *end_;
  state_->stop.raise();
  end_ = state_->done.is_raised(kPatienceMs) ? End::Clean : End::Stuck;
  end_ == End::Clean ? thread_.join() : thread_.detach();
  state_->feed->close();
  return *end_;
}

std::uint64_t Watching::lost() const { return state_->lost; }

}  // namespace jail::trace
