#include "trace/ring.h"

#include <bpf/bpf.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

#include "base/clock.h"

namespace jail::trace {
namespace {

constexpr std::uint64_t kPatienceNs = 5'000'000'000;

enum Place : int { kRings, kRing, kRuns, kNamespace, kLife, kPlaces };

// Here only what a process with other threads may do between fork(2) and execve(2).
[[noreturn]] void keep_entry(const std::array<int, kPlaces>& given, std::uint32_t key) noexcept {
  sigset_t all;
  sigfillset(&all);
  (void)::sigprocmask(SIG_SETMASK, &all, nullptr);  // it ends when the run has, not when a terminal says so
  std::array<int, kPlaces> high{};
  for (std::size_t i = 0; i < given.size(); ++i) high[i] = ::fcntl(given[i], F_DUPFD, kPlaces);
  for (std::size_t i = 0; i < given.size(); ++i) (void)::dup2(high[i], static_cast<int>(i));
  (void)::close_range(kPlaces, ~0U, 0);
  std::uint32_t number = kRing;
  if (::bpf_map_update_elem(kRings, &key, &number, BPF_ANY) != 0) ::_exit(1);
  char nothing = 0;
  while (::read(kLife, &nothing, 1) < 0 && errno == EINTR) {}
  (void)::bpf_map_delete_elem(kRuns, &key);
  (void)::bpf_map_delete_elem(kRings, &key);
  ::_exit(0);
}

std::string problem(const char* what) { return std::string(what) + ": " + std::strerror(errno); }

}  // namespace

// By the call itself: the library first tries what the kernel can do, which takes as long as all the rest.
Fd make_ring(std::uint32_t bytes) {
  bpf_attr wanted{};
  wanted.map_type = BPF_MAP_TYPE_RINGBUF;
  wanted.max_entries = bytes;
  std::strcpy(wanted.map_name, "jail_ring");
  return Fd(static_cast<int>(::syscall(SYS_bpf, BPF_MAP_CREATE, &wanted, sizeof wanted)));
}

std::optional<Space> space_of(pid_t process) {
  Space space{.number = 0, .held = Fd(::open(("/proc/" + std::to_string(process) + "/ns/pid").c_str(),
                                             O_RDONLY | O_CLOEXEC))};
  struct stat status {};
  if (!space.held || ::fstat(space.held.get(), &status) != 0) return std::nullopt;
  space.number = static_cast<std::uint32_t>(status.st_ino);
  return space;
}

std::unique_ptr<RunRing> RunRing::make(const Tracer& tracer, pid_t member, std::uint32_t bytes, std::string& why) {
  std::optional<Space> space = space_of(member);
  if (!space) {
    why = problem("looking for the pid namespace");
    return nullptr;
  }
  Fd ring = make_ring(bytes);
  if (ring) return make(tracer, std::move(*space), std::move(ring), why);
  why = problem("making a ring");
  return nullptr;
}

std::unique_ptr<RunRing> RunRing::make(const Tracer& tracer, Space space, Fd ring, std::string& why) {
  std::unique_ptr<RunRing> made(new RunRing);
  made->space_ = std::move(space);
  made->ring_ = std::move(ring);
  made->rings_ = duplicate(tracer.programs().rings.get());
  made->entry_ = tracer.enter(made->key());
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) {
    why = problem("entering a ring");
    return nullptr;
  }
  const Fd end(ends[0]);
  made->life_ = Fd(ends[1]);
  made->runs_ = duplicate(tracer.programs().runs.get());
  const pid_t aside = ::_Fork();
  if (aside == 0)
    keep_entry({made->rings_.get(), made->ring_.get(), made->runs_.get(), made->space_.held.get(), end.get()},
               made->key());
  if (aside > 0) return made;
  why = problem("entering a ring");
  return nullptr;
}

bool RunRing::is_seen() const {
  std::uint32_t id = 0;
  bpf_map_info info{};
  std::uint32_t size = sizeof info;
  return ::bpf_map_lookup_elem(rings_.get(), &space_.number, &id) == 0 &&
         ::bpf_obj_get_info_by_fd(ring_.get(), &info, &size) == 0 && id == info.id;
}

bool RunRing::wait_until_seen() const {
  const std::uint64_t limit = clock::boottime_ns() + kPatienceNs;
  while (!is_seen()) {
    if (clock::boottime_ns() > limit) return false;
    ::sched_yield();
  }
  return true;
}

std::string RunRing::begin(std::uint32_t what) {
  if (!wait_until_seen()) return "the ring could not be handed over";
  bpf_map_info info{};
  std::uint32_t size = sizeof info;
  if (::bpf_obj_get_info_by_fd(ring_.get(), &info, &size) != 0) return problem("looking at a ring");
  const jail_run run{.lost = 0, .want = what, .ring_bytes = info.max_entries};
  return ::bpf_map_update_elem(runs_.get(), &space_.number, &run, BPF_ANY) == 0 ? "" : problem("entering a run");
}

void RunRing::end() noexcept {
  if (runs_) (void)::bpf_map_delete_elem(runs_.get(), &space_.number);
}

jail_run RunRing::counts() const {
  jail_run run{};
  (void)::bpf_map_lookup_elem(runs_.get(), &space_.number, &run);
  return run;
}

}  // namespace jail::trace
