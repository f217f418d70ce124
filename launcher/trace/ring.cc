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
#include <utility>

#include "base/clock.h"

namespace jail::trace {
namespace {

constexpr std::uint64_t kPatienceNs = 5'000'000'000;

// By the call itself: the library first tries what the kernel can do, which takes as long as all the rest.
Fd make_ring(std::uint32_t bytes) {
  bpf_attr wanted{};
  wanted.map_type = BPF_MAP_TYPE_RINGBUF;
  wanted.max_entries = bytes;
  std::strcpy(wanted.map_name, "jail_ring");
  return Fd(static_cast<int>(::syscall(SYS_bpf, BPF_MAP_CREATE, &wanted, sizeof wanted)));
}

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

std::unique_ptr<RunRing> RunRing::make(const Tracer& tracer, pid_t member, std::uint32_t bytes, std::string& why) {
  Fd space(::open(("/proc/" + std::to_string(member) + "/ns/pid").c_str(), O_RDONLY | O_CLOEXEC));
  struct stat status {};
  int ends[2];
  if (!space || ::fstat(space.get(), &status) != 0 || ::pipe2(ends, O_CLOEXEC) != 0) {
    why = problem("looking for the pid namespace");
    return nullptr;
  }
  const Fd end(ends[0]);
  std::unique_ptr<RunRing> made(new RunRing);
  made->life_ = Fd(ends[1]);
  made->key_ = static_cast<std::uint32_t>(status.st_ino);
  made->bytes_ = bytes;
  made->space_ = std::move(space);
  made->entry_ = tracer.enter(made->key_);
  made->rings_ = Fd(::fcntl(tracer.programs().rings.get(), F_DUPFD_CLOEXEC, 3));
  made->ring_ = make_ring(bytes);
  if (!made->rings_ || !made->ring_) {
    why = problem("making a ring");
    return nullptr;
  }
  const pid_t aside = ::_Fork();
  if (aside == 0)
    keep_entry({made->rings_.get(), made->ring_.get(), tracer.programs().runs.get(), made->space_.get(), end.get()},
               made->key_);
  if (aside > 0) return made;
  why = problem("entering a ring");
  return nullptr;
}

bool RunRing::is_seen() const {
  std::uint32_t id = 0;
  bpf_map_info info{};
  std::uint32_t size = sizeof info;
  return ::bpf_map_lookup_elem(rings_.get(), &key_, &id) == 0 &&
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

}  // namespace jail::trace
