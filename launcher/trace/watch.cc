#include "trace/watch.h"

#include <bpf/libbpf.h>
#include <poll.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
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
  OwnFeed(const Tracer& tracer, Wanted wanted) : tracer_(tracer), wanted_(std::move(wanted)) {}

  // Empty, or what went wrong.
  std::string prepare();
  std::string begin() override;
  [[nodiscard]] const Fd& ring() const override { return ring_->ring(); }
  std::optional<std::uint64_t> lost(std::string&) override { return ring_->counts().lost; }
  void close() noexcept override {
    early_ = {};
    late_ = {};
    ring_->end();
  }

 private:
  Tracer::Attached attach(bool costs, std::string& why) const;

  const Tracer& tracer_;
  Wanted wanted_;
  std::unique_ptr<RunRing> ring_;
  Tracer::Attached early_, late_;
};

Tracer::Attached OwnFeed::attach(bool costs, std::string& why) const {
  std::vector<Family> families = wanted_.families;
  std::erase_if(families, [costs](Family family) { return costs_others(family) != costs; });
  return tracer_.attach(families, wanted_.cgroup, why);
}

std::string OwnFeed::prepare() {
  std::string why;
  ring_ = RunRing::make(tracer_, wanted_.member, wanted_.ring_bytes, why);
  if (ring_) early_ = attach(false, why);
  return why;
}

std::string OwnFeed::begin() {
  std::string why = ring_->begin(wanted_.what);
  if (why.empty()) late_ = attach(true, why);
  return why;
}

}  // namespace

std::unique_ptr<Feed> open_feed(const Tracer& tracer, Wanted wanted, std::string& why) {
  auto feed = std::make_unique<OwnFeed>(tracer, std::move(wanted));
  why = feed->prepare();
  return why.empty() ? std::move(feed) : nullptr;
}

struct Watching::State {
  explicit State(std::unique_ptr<Feed> from);  // no ring: errno

  std::unique_ptr<Feed> feed;
  Ring ring;
  Sinks sinks;
  Fd first;
  Wakeup stop, done;
  std::uint64_t undecodable = 0;
  std::uint64_t told_lost = 0, looked_ns = 0;
  std::atomic<std::uint64_t> lost = 0;
  bool feed_ended = false;

  void run() noexcept;
  void read();
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

Watching::State::State(std::unique_ptr<Feed> from) : feed(std::move(from)) {
  const auto keep_one = [](void* state, void* data, std::size_t size) {
    static_cast<State*>(state)->keep({static_cast<const std::byte*>(data), size});
    return 0;
  };
  ring = Ring(::ring_buffer__new(feed->ring().get(), keep_one, this, nullptr));
}

void Watching::State::read() {
  if (sinks.before_reading) sinks.before_reading();
  int wait_ms = kBusyMs;
  for (bool stopping = false; !stopping;) {
    pollfd polled[] = {
        {stop.fd(), POLLIN, 0}, {first.get(), POLLIN, 0}, {::ring_buffer__epoll_fd(ring.get()), POLLIN, 0}};
    check(TEMP_FAILURE_RETRY(::poll(polled, std::size(polled), wait_ms)), "poll");
    stopping = polled[0].revents != 0 || polled[1].revents != 0;
    int records = 0;
    while (const int some = ::ring_buffer__consume(ring.get())) {
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

void Watching::State::run() noexcept {
  try {
    read();
  } catch (const std::exception& failure) {
    sinks.log({.body = event::MonitorChanged{"none", failure.what()}, .source = event::Source::Ebpf});
  }
  done.raise();
}

std::unique_ptr<Watching> Watching::open(std::unique_ptr<Feed> feed, std::string& why) {
  auto state = std::make_shared<State>(std::move(feed));
  if (state->ring) return std::unique_ptr<Watching>(new Watching(std::move(state)));
  why = std::string("mapping the ring: ") + std::strerror(errno);
  return nullptr;
}

std::string Watching::begin(Sinks sinks) {
  state_->sinks = std::move(sinks);
  return state_->feed->begin();
}

void Watching::read_along(Fd first) {
  if (thread_.joinable() || end_) return;
  state_->first = std::move(first);
  const MaskedSignals for_the_thread;
  thread_ = std::thread([mine = state_] { mine->run(); });
}

// The thread's own end nobody has to wait for before.
Watching::~Watching() {
  (void)finish();
  if (thread_.joinable()) thread_.join();
}

Watching::End Watching::finish() {
  if (end_) return *end_;
  state_->stop.raise();
  const bool has_begun = static_cast<bool>(state_->sinks.log);
  if (!thread_.joinable()) has_begun ? state_->run() : state_->done.raise();
  end_ = state_->done.is_raised(kPatienceMs) ? End::Clean : End::Stuck;
  if (end_ == End::Stuck) thread_.detach();
  state_->feed->close();
  if (end_ == End::Clean) state_->feed.reset();
  return *end_;
}

std::uint64_t Watching::lost() const { return state_->lost; }

}  // namespace jail::trace
