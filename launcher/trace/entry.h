// What a run has in the kernel for as long as the object lives: a row in `runs`, and in `rings` a ring of its own.
//
// A run goes by the number of its pid namespace, and the kernel gives that of one that is gone to another: who has a
// member of it by its pidfd keeps the namespace, so nobody else's events come to this ring.
//
// The kernel makes whoever changes a map of maps wait until no program can see the old one, 8 to 16 ms, though it can
// see the new one at once: so a process aside does that, and the run goes on when the new one is seen.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

#include "base/fd.h"
#include "bpf/events.h"
#include "trace/programs.h"

namespace jail::trace {

inline constexpr std::uint32_t kRingBytes = 1U << 20;

// Empty: errno says why. `bytes`: a power of two, pages.
Fd make_ring(std::uint32_t bytes);

// The number of the pid namespace of a process, of which one may ask; none: errno.
std::optional<std::uint32_t> pid_namespace_of(pid_t process);

struct Row {
  std::uint32_t space = 0;  // of the pid namespace
  std::uint32_t what = 0;   // of jail_want (bpf/events.h)
  std::uint32_t ring_bytes = kRingBytes;
};

class Entry {
 public:
  // `ring`: never another run's, nor ever to be one's (SECURITY E1). `member`: a pidfd, by which the number stays the
  // jail's until no program can find the ring by it. None: `why`.
  static std::optional<Entry> make(const Programs& programs, const Row& row, Fd ring, Fd member, std::string& why);
  Entry(Entry&&) = default;
  Entry& operator=(Entry&&) = default;
  ~Entry() { remove(); }

  void remove() noexcept;  // once
  [[nodiscard]] const Fd& ring() const { return ring_; }
  [[nodiscard]] std::uint32_t space() const { return space_; }
  [[nodiscard]] jail_run counts() const;

 private:
  Entry(const Programs& programs, std::uint32_t space, Fd ring, Fd member);
  [[nodiscard]] bool is_seen() const;
  [[nodiscard]] bool waits_until_seen() const;

  Fd runs_, rings_, ring_, member_;
  std::uint32_t space_ = 0;
  bool removed_ = false;
};

}  // namespace jail::trace
