// One run, watched: who reads its ring, whoever has entered it in the kernel.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "event/event.h"
#include "trace/decode.h"
#include "trace/ring.h"
#include "trace/tracer.h"

namespace jail::trace {

using Log = std::function<void(const event::Event&)>;
using Judge = std::function<void(const FileCall&)>;

// What puts the events of one run into its ring, until it goes.
class Feed {
 public:
  virtual ~Feed() = default;
  // From here on events come. Empty, or what went wrong.
  virtual std::string begin() = 0;
  [[nodiscard]] virtual const Fd& ring() const = 0;
  // Events that had no room; none: there is nothing more to come, and `why`. By the thread that reads.
  virtual std::optional<std::uint64_t> lost(std::string& why) = 0;
  virtual void close() noexcept = 0;  // once; by another thread than that
};

// One of this process's own.
struct Wanted {
  std::vector<Family> families;
  std::uint32_t what = 0;    // of jail_want (bpf/events.h)
  pid_t member = 0;          // a process in the pid namespace of the jail
  const Fd* cgroup = nullptr;  // where the network programs hang; null: without that family
  std::uint32_t ring_bytes = kRingBytes;  // a power of two, pages
};
// What takes time is done when it returns; what others pay for is not attached before it begins. Null: `why`. The
// tracer outlives it, and so does the group.
std::unique_ptr<Feed> open_feed(const Tracer& tracer, Wanted wanted, std::string& why);

// What becomes of the events. Called by the thread alone, or where there is none in finish(); by nobody after it.
struct Sinks {
  Log log;
  Judge judge{};                          // none: calls that name files are logged, too
  std::function<void()> before_reading{};
  std::function<void()> after_reading{};  // now and then
  std::function<void()> at_end{};         // when all is read
};

class Watching {
 public:
  // Maps the ring. Null: `why`.
  static std::unique_ptr<Watching> open(std::unique_ptr<Feed> feed, std::string& why);
  ~Watching();
  Watching(const Watching&) = delete;
  Watching& operator=(const Watching&) = delete;

  // From here on events come. Empty, or what went wrong.
  std::string begin(Sinks sinks);
  // A thread reads from here on, once however often it is called. A run that ends before is read by finish(), which
  // spares the shortest a thread: until then all that happens has to have room in the ring. `first`: a pidfd of the
  // first process of the pid namespace, with whose end there is nothing to come; so the thread need not be told.
  void read_along(Fd first = {});

  enum class End { Clean, Stuck };
  // When nothing of the jail is left: what waits is passed on, the thread ends. Stuck: it hangs in the log.
  End finish();

  [[nodiscard]] std::uint64_t lost() const;  // events that had no room in the ring

 private:
  struct State;
  explicit Watching(std::shared_ptr<State> state) : state_(std::move(state)) {}
  std::shared_ptr<State> state_;
  std::thread thread_;
  std::optional<End> end_;
};

}  // namespace jail::trace
