#include "trace/watch.h"

#include <bpf/libbpf.h>
#include <poll.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <utility>

#include "base/clock.h"
#include "base/error.h"
#include "base/masked_signals.h"
#include "base/wakeup.h"

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

// Of this process's own making.
class OwnFeed : public Feed {
 public:
  OwnFeed(std::unique_ptr<RunRing> ring, Tracer::Attached attached)
      : ring_(std::move(ring)), attached_(std::move(attached)) {}

  [[nodiscard]] const Fd& ring() const override { return ring_->ring(); }
  std::optional<std::uint64_t> lost(std::string&) override { return ring_->counts().lost; }
  void close() noexcept override {
    attached_ = {};
    ring_->end();
  }

 private:
  std::unique_ptr<RunRing> ring_;
  Tracer::Attached attached_;
};

// Null: `why`; what was entered has been taken away again.
std::unique_ptr<Feed> enter(const Tracer& tracer, Wanted& wanted, std::string& why) {
  std::unique_ptr<RunRing> ring = std::move(wanted.ring);
  if (!ring) ring = RunRing::make(tracer, wanted.member, wanted.ring_bytes, why);
  if (!ring) return nullptr;
  why = ring->begin(wanted.what);
  Tracer::Attached attached;
  if (why.empty()) attached = tracer.attach(wanted.families, wanted.cgroup, why);
  if (!why.empty()) return nullptr;
  return std::make_unique<OwnFeed>(std::move(ring), std::move(attached));
}

}  // namespace

struct Watching::State {
  State(std::unique_ptr<Feed> from, Sinks to) : feed(std::move(from)), sinks(std::move(to)) {}

  std::unique_ptr<Feed> feed;
  Sinks sinks;
  Wakeup stop, done;
  std::uint64_t undecodable = 0;
  std::uint64_t told_lost = 0, looked_ns = 0;
  std::atomic<std::uint64_t> lost = 0;
  bool feed_ended = false;

  void run();
  void read(ring_buffer& ring_reader);
  void count_lost();
  void tell_lost();
  void keep(std::span<const std::byte> record);
};

void Watching::State::keep(std::span<const std::byte> record) {
  if (sinks.judge)
    if (const std::optional<FileCall> call = decode_call(record)) return sinks.judge(*call);
  if (const std::optional<event::Event> event = decode(record)) sinks.log(*event);
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
  sinks.log({.body = event::MonitorChanged{"notify", std::move(why)}, .source = event::Source::Ebpf});
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
  sinks.log(event);
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
    if (sinks.after_reading) sinks.after_reading();
    if (clock::boottime_ns() - looked_ns > kNsPerSecond) tell_lost();
  }
  if (sinks.at_end) sinks.at_end();
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

std::unique_ptr<Watching> Watching::start(const Tracer& tracer, Wanted wanted, Sinks sinks, std::string& why) {
  std::unique_ptr<Feed> feed = enter(tracer, wanted, why);
  return feed ? start(std::move(feed), std::move(sinks)) : nullptr;
}

std::unique_ptr<Watching> Watching::start(std::unique_ptr<Feed> feed, Sinks sinks) {
  return std::unique_ptr<Watching>(new Watching(std::make_shared<State>(std::move(feed), std::move(sinks))));
}

Watching::Watching(std::shared_ptr<State> state) : state_(std::move(state)) {
  const MaskedSignals for_the_thread;
  thread_ = std::thread([mine = state_] {
    try {
      mine->run();
    } catch (const std::exception& failure) {
      mine->sinks.log({.body = event::MonitorChanged{"none", failure.what()}, .source = event::Source::Ebpf});
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
  if (end_ == End::Clean) state_->feed.reset();
  return *end_;
}

std::uint64_t Watching::lost() const { return state_->lost; }

}  // namespace jail::trace
