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
#include <string>

#include "base/fd.h"
#include "trace/tracer.h"

namespace jail::trace {

class RunRing {
 public:
  // Being entered when it returns. `member`: of the pid namespace of the jail. `bytes`: a power of two, pages. Null:
  // `why`.
  static std::unique_ptr<RunRing> make(const Tracer& tracer, pid_t member, std::uint32_t bytes, std::string& why);

  // Until programs find it. False: they do not.
  [[nodiscard]] bool wait_until_seen() const;

  [[nodiscard]] const Fd& ring() const { return ring_; }
  [[nodiscard]] std::uint32_t key() const { return key_; }  // the number of the pid namespace
  [[nodiscard]] std::uint32_t bytes() const { return bytes_; }

 private:
  RunRing() = default;
  [[nodiscard]] bool is_seen() const;

  Pins::Entry entry_;  // first, so that it goes last: when the process aside has been told
  Fd space_;           // the pid namespace: its number is ours
  Fd rings_, ring_;
  Fd life_;  // closed: the run has ended
  std::uint32_t key_ = 0, bytes_ = 0;
};

}  // namespace jail::trace
