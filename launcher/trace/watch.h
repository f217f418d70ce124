// One run, watched: a thread that reads its ring, whoever has entered it in the kernel.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "event/event.h"
#include "trace/decode.h"
#include "trace/ring.h"
#include "trace/tracer.h"

namespace jail::trace {

using Log = std::function<void(const event::Event&)>;
using Judge = std::function<void(const FileCall&)>;

// What puts the events of one run into its ring.
class Feed {
 public:
  virtual ~Feed() = default;
  [[nodiscard]] virtual const Fd& ring() const = 0;
  // Events that had no room; none: there is nothing more to come, and `why`. By the thread that reads.
  virtual std::optional<std::uint64_t> lost(std::string& why) = 0;
  virtual void close() noexcept = 0;  // once; by another thread than that
};

// By this process itself.
struct Wanted {
  std::vector<Family> families;
  std::uint32_t what = 0;    // of jail_want (bpf/events.h)
  pid_t member = 0;          // a process in the pid namespace of the jail
  std::unique_ptr<RunRing> ring{};  // made before, to save time; null: made now, of so many bytes
  const Fd* cgroup = nullptr;  // where the network programs hang; null: without that family
  std::uint32_t ring_bytes = kRingBytes;  // a power of two, pages
};

// What becomes of the events. Called by the thread alone, and by nobody after finish().
struct Sinks {
  Log log;
  Judge judge{};                          // none: calls that name files are logged, too
  std::function<void()> after_reading{};  // now and then
  std::function<void()> at_end{};         // when all is read
};

class Watching {
 public:
  // Attached when it returns. Null: `why`. The tracer outlives it.
  static std::unique_ptr<Watching> start(const Tracer& tracer, Wanted wanted, Sinks sinks, std::string& why);
  static std::unique_ptr<Watching> start(std::unique_ptr<Feed> feed, Sinks sinks);
  ~Watching();
  Watching(const Watching&) = delete;
  Watching& operator=(const Watching&) = delete;

  enum class End { Clean, Stuck };
  // When nothing of the jail is left: what waits is passed on, the thread ends. Stuck: it hangs in the log.
  End finish();

  [[nodiscard]] std::uint64_t lost() const;  // events that had no room in the ring

 private:
  struct State;
  explicit Watching(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
  std::thread thread_;
  std::optional<End> end_;
};

}  // namespace jail::trace
