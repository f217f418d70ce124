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

// The number of the pid namespace of a process: what the programs know a jail by.
std::optional<std::uint32_t> pid_namespace_of(pid_t process) {
  struct stat status {};
  if (::stat(("/proc/" + std::to_string(process) + "/ns/pid").c_str(), &status) != 0) return std::nullopt;
  return static_cast<std::uint32_t>(status.st_ino);
}

enum class Change { Enter, Remove };

// The wait is a process's that nobody waits for; not even its own end could be hurried, so a thread of ours would keep
// us from ending. It has nothing of ours but the two descriptors. False: there is no such process.
bool change_aside(Change change, const Fd& rings, std::uint32_t key, const Fd& ring) noexcept {
  const pid_t child = ::_Fork();
  if (child != 0) return child > 0;
  std::uint32_t number = 1;
  const int high = ::fcntl(ring.get(), F_DUPFD, 3);
  (void)::dup2(rings.get(), 0);
  (void)::dup2(high, static_cast<int>(number));
  (void)::close_range(2, ~0U, 0);
  (void)(change == Change::Enter ? ::bpf_map_update_elem(0, &key, &number, BPF_ANY) : ::bpf_map_delete_elem(0, &key));
  ::_exit(0);
}

}  // namespace

struct Watching::State {
  Wanted wanted;
  Fd runs, rings, ring;  // of our own: the thread may outlive whoever made it
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
  [[nodiscard]] bool is_entered() const;
  [[nodiscard]] bool is_visible() const;
  [[nodiscard]] jail_run counts() const;
  void keep(std::span<const std::byte> record);
};

// Empty, or what went wrong.
std::string Watching::State::prepare(const Tracer& tracer) {
  const std::optional<std::uint32_t> space = pid_namespace_of(wanted.member);
  if (!space) return problem("looking for the pid namespace");
  key = *space;
  runs = duplicate(tracer.programs().runs.get());
  rings = duplicate(tracer.programs().rings.get());
  LIBBPF_OPTS(bpf_map_create_opts, options);
  ring = Fd(::bpf_map_create(BPF_MAP_TYPE_RINGBUF, "jail_ring", 0, 0, wanted.ring_bytes, &options));
  if (!ring) return problem("making a ring");
  const jail_run run{.lost = 0, .want = wanted.what, .ring_bytes = wanted.ring_bytes};
  if (::bpf_map_update_elem(runs.get(), &key, &run, BPF_ANY) != 0) return problem("entering a run");
  return {};
}

bool Watching::State::is_visible() const {
  std::uint32_t id = 0;
  bpf_map_info info{};
  std::uint32_t size = sizeof info;
  return ::bpf_map_lookup_elem(rings.get(), &key, &id) == 0 &&
         ::bpf_obj_get_info_by_fd(ring.get(), &info, &size) == 0 && id == info.id;
}

bool Watching::State::is_entered() const {
  if (!change_aside(Change::Enter, rings, key, ring)) return false;
  const std::uint64_t limit = clock::boottime_ns() + kPatienceMs * kNsPerMs;
  while (!is_visible()) {
    if (clock::boottime_ns() > limit) return false;
    ::sched_yield();
  }
  return true;
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
  const Ring reader(::ring_buffer__new(ring.get(), keep_one, this, nullptr));
  if (!reader) throw SysError(errno, "mapping the ring");
  read(*reader);
}

std::unique_ptr<Watching> Watching::start(const Tracer& tracer, Wanted wanted, std::string& why) {
  auto state = std::make_shared<State>();
  state->wanted = std::move(wanted);
  why = state->prepare(tracer);
  if (!why.empty()) return nullptr;
  if (state->is_entered()) state->attached = tracer.attach(state->wanted.families, state->wanted.cgroup, why);
  else why = "the ring could not be handed over";
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
  (void)change_aside(Change::Remove, state_->rings, state_->key, state_->ring);
  return *end_;
}

std::uint64_t Watching::lost() const { return state_->lost; }

}  // namespace jail::trace
