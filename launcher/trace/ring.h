// The ring of one run, which no other run ever gets (SECURITY E1), and its entry in the map by which programs find it.
//
// The kernel makes whoever changes a map of maps wait until no program can see the old one, 8 to 16 ms, though it can
// see the new one at once: so a process aside does that. It stays until the run has ended, however that ends, and takes
// the entry away; until then it holds the pid namespace, whose number another run may not get before. If it was killed,
// too, the next run that keeps its programs in the same folder takes the entry away.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/fd.h"
#include "bpf/events.h"
#include "trace/tracer.h"

namespace jail::trace {

inline constexpr std::uint32_t kRingBytes = 1U << 20;

// Empty: errno says why. `bytes`: a power of two, pages.
Fd make_ring(std::uint32_t bytes);

// By what a run goes: the number of its pid namespace, which stays its own for as long as something holds that.
struct Space {
  std::uint32_t number = 0;
  Fd held;  // the namespace, or the pidfd of a process in it
};
// Of a process about which one may ask; none: errno.
std::optional<Space> space_of(pid_t process);

class RunRing {
 public:
  // Being entered when it returns. `ring`: never another run's, nor ever to be one's. Null: `why`.
  static std::unique_ptr<RunRing> make(const Tracer& tracer, Space space, Fd ring, std::string& why);
  // With a ring of its own. `member`: of the pid namespace of the jail.
  static std::unique_ptr<RunRing> make(const Tracer& tracer, pid_t member, std::uint32_t bytes, std::string& why);
  ~RunRing() { end(); }
  RunRing(const RunRing&) = delete;
  RunRing& operator=(const RunRing&) = delete;

  // Waits until programs find the ring. From here on they tell `what`, of jail_want (bpf/events.h). Empty, or what went
  // wrong.
  std::string begin(std::uint32_t what);
  void end() noexcept;  // they tell nothing more; what is in the ring stays

  [[nodiscard]] const Fd& ring() const { return ring_; }
  [[nodiscard]] std::uint32_t key() const { return space_.number; }
  [[nodiscard]] jail_run counts() const;

 private:
  RunRing() = default;
  [[nodiscard]] bool is_seen() const;
  [[nodiscard]] bool wait_until_seen() const;

  Pins::Entry entry_;  // first, so that it goes last: when the process aside has been told
  Space space_;
  Fd runs_, rings_, ring_;  // of our own: who reads may outlive whoever made the maps
  Fd life_;  // closed: the run has ended
};

}  // namespace jail::trace
