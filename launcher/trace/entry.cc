#include "trace/entry.h"

#include <bpf/bpf.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/clock.h"

namespace jail::trace {
namespace {

constexpr std::uint64_t kPatienceNs = 5'000'000'000;

std::string problem(const char* what) { return std::string(what) + ": " + std::strerror(errno); }

enum class Change { Enter, Remove };

// The wait is a process's that nobody waits for; not even its own end could be hurried, so a thread of ours would keep
// us from ending. It has nothing of ours but three descriptors. False: there is no such process.
bool change_aside(Change change, const Fd& rings, std::uint32_t key, const Fd& ring, const Fd& member) noexcept {
  const pid_t child = ::_Fork();
  if (child != 0) return child > 0;
  constexpr std::uint32_t kRing = 1;
  const int high[] = {::fcntl(rings.get(), F_DUPFD, 3), ::fcntl(ring.get(), F_DUPFD, 3),
                      ::fcntl(member.get(), F_DUPFD, 3)};
  for (int number = 0; number < 3; ++number) (void)::dup2(high[number], number);
  (void)::close_range(3, ~0U, 0);
  (void)(change == Change::Enter ? ::bpf_map_update_elem(0, &key, &kRing, BPF_ANY) : ::bpf_map_delete_elem(0, &key));
  ::_exit(0);
}

}  // namespace

Fd make_ring(std::uint32_t bytes) {
  LIBBPF_OPTS(bpf_map_create_opts, options);
  return Fd(::bpf_map_create(BPF_MAP_TYPE_RINGBUF, "jail_ring", 0, 0, bytes, &options));
}

std::optional<std::uint32_t> pid_namespace_of(pid_t process) {
  struct stat status {};
  if (::stat(("/proc/" + std::to_string(process) + "/ns/pid").c_str(), &status) != 0) return std::nullopt;
  return static_cast<std::uint32_t>(status.st_ino);
}

Entry::Entry(const Programs& programs, std::uint32_t space, Fd ring, Fd member)
    : runs_(duplicate(programs.runs.get())),
      rings_(duplicate(programs.rings.get())),
      ring_(std::move(ring)),
      member_(std::move(member)),
      space_(space) {}

std::optional<Entry> Entry::make(const Programs& programs, const Row& row, Fd ring, Fd member, std::string& why) {
  Entry entry(programs, row.space, std::move(ring), std::move(member));  // also where it fails: it is taken away again
  const jail_run run{.told = 0, .lost = 0, .want = row.what, .ring_bytes = row.ring_bytes};
  if (::bpf_map_update_elem(entry.runs_.get(), &row.space, &run, BPF_ANY) != 0) why = problem("entering a run");
  else if (!entry.waits_until_seen()) why = "the ring could not be handed over";
  if (!why.empty()) return std::nullopt;
  return entry;
}

bool Entry::is_seen() const {
  std::uint32_t id = 0;
  bpf_map_info info{};
  std::uint32_t size = sizeof info;
  return ::bpf_map_lookup_elem(rings_.get(), &space_, &id) == 0 &&
         ::bpf_obj_get_info_by_fd(ring_.get(), &info, &size) == 0 && id == info.id;
}

bool Entry::waits_until_seen() const {
  if (!change_aside(Change::Enter, rings_, space_, ring_, member_)) return false;
  const std::uint64_t limit = clock::boottime_ns() + kPatienceNs;
  while (!is_seen()) {
    if (clock::boottime_ns() > limit) return false;
    ::sched_yield();
  }
  return true;
}

jail_run Entry::counts() const {
  jail_run run{};
  (void)::bpf_map_lookup_elem(runs_.get(), &space_, &run);
  return run;
}

void Entry::remove() noexcept {
  if (!runs_ || std::exchange(removed_, true)) return;
  (void)::bpf_map_delete_elem(runs_.get(), &space_);
  (void)change_aside(Change::Remove, rings_, space_, ring_, member_);
}

}  // namespace jail::trace
