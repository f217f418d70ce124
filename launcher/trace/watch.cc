#include "trace/watch.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>

#include "base/clock.h"
#include "base/error.h"
#include "base/masked_signals.h"
#include "base/wakeup.h"
#include "bpf/events.h"
#include "sys/process.h"

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

}  // namespace

struct Watching::State {
  Wanted wanted;
  Fd runs;  // of our own: the thread may outlive whoever made it
  std::uint32_t key = 0;
  Tracer::Attached attached;
  Wakeup stop, done;
  std::uint64_t undecodable = 0;
  std::uint64_t told_lost = 0, looked_ns = 0;
  std::atomic<std::uint64_t> lost = 0;

  std::string prepare(const Tracer& tracer);
  void run();
  void read(ring_buffer& ring_reader);
  void tell_lost();
  [[nodiscard]] jail_run counts() const;
  void keep(std::span<const std::byte> record);
};

// Empty, or what went wrong. From here on the programs tell of the run.
std::string Watching::State::prepare(const Tracer& tracer) {
  std::string why;
  if (!wanted.ring) wanted.ring = RunRing::make(tracer, wanted.member, wanted.ring_bytes, why);
  if (!wanted.ring) return why;
  if (!wanted.ring->wait_until_seen()) return "the ring could not be handed over";
  key = wanted.ring->key();
  runs = duplicate(tracer.programs().runs.get());
  const jail_run run{.lost = 0, .want = wanted.what, .ring_bytes = wanted.ring->bytes()};
  return ::bpf_map_update_elem(runs.get(), &key, &run, BPF_ANY) == 0 ? "" : problem("entering a run");
}

jail_run Watching::State::counts() const {
  jail_run run{};
  (void)::bpf_map_lookup_elem(runs.get(), &key, &run);
  return run;
}

void Watching::State::keep(std::span<const std::byte> record) {
  if (wanted.judge)
    if (const std::optional<FileCall> call = decode_call(record)) return wanted.judge(*call);
  if (const std::optional<event::Event> event = decode(record)) wanted.log(*event);
  else ++undecodable;
}

// At most once a second while it goes on, and at the end.
void Watching::State::tell_lost() {
  looked_ns = clock::boottime_ns();
  lost = counts().lost + undecodable;
  if (lost == told_lost) return;
  event::Event event{.body = event::MonitorLost{lost - told_lost, "the plugin was faster than its events were read"},
                     .source = event::Source::Ebpf};
  event.mono_ns = looked_ns;
  told_lost = lost;
  wanted.log(event);
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
    if (wanted.after_reading) wanted.after_reading();
    if (clock::boottime_ns() - looked_ns > kNsPerSecond) tell_lost();
  }
  if (wanted.at_end) wanted.at_end();
  tell_lost();
}

void Watching::State::run() {
  const auto keep_one = [](void* state, void* data, std::size_t size) {
    static_cast<State*>(state)->keep({static_cast<const std::byte*>(data), size});
    return 0;
  };
  const Ring reader(::ring_buffer__new(wanted.ring->ring().get(), keep_one, this, nullptr));
  if (!reader) throw SysError(errno, "mapping the ring");
  read(*reader);
}

std::unique_ptr<Watching> Watching::start(const Tracer& tracer, Wanted wanted, std::string& why) {
  auto state = std::make_shared<State>();
  state->wanted = std::move(wanted);
  why = state->prepare(tracer);
  if (!why.empty()) return nullptr;
  state->attached = tracer.attach(state->wanted.families, state->wanted.cgroup, why);
  std::unique_ptr<Watching> watching(new Watching(state));  // also where it failed: it takes away what was entered
  return why.empty() ? std::move(watching) : nullptr;
}

Watching::Watching(std::shared_ptr<State> state) : state_(std::move(state)) {
  const MaskedSignals for_the_thread;
  thread_ = std::thread([mine = state_] {
    try {
      mine->run();
    } catch (const std::exception& failure) {
      mine->wanted.log({.body = event::MonitorChanged{"none", failure.what()}, .source = event::Source::Ebpf});
    }
    mine->done.raise();
  });
}

Watching::~Watching() { (void)finish(); }

Watching::End Watching::finish() {
  if (end_) return *end_;
  state_->attached = {};
  state_->stop.raise();
  end_ = state_->done.is_raised(kPatienceMs) ? End::Clean : End::Stuck;
  end_ == End::Clean ? thread_.join() : thread_.detach();
  (void)::bpf_map_delete_elem(state_->runs.get(), &state_->key);
  if (end_ == End::Clean) state_->wanted.ring.reset();
  return *end_;
}

std::uint64_t Watching::lost() const { return state_->lost; }

}  // namespace jail::trace
