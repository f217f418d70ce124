// The audit log of one run, written by the supervisor alone. Everything is opened at the start and kept by descriptor,
// so the log outlives the supervisor's own move into an empty root. One record is one write(2): appends are atomic on a
// local file system, so runs that share a file do not interleave. A file that has grown enough is rotated
// (generations.h), one run can fill it only so far (budget.h), and what may wait does so beside the run (keeper.h).
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "audit/budget.h"
#include "audit/generations.h"
#include "audit/problem.h"
#include "event/event.h"
#include "event/redact.h"

namespace jail::audit {

class Sink;

// Where records go.
struct DefaultFile {};  // a file of the profile's own in default_folder()
struct File {
  std::string path;
};  // --audit FILE; a FIFO or a device only because it is named here
struct Descriptor {
  int number = -1;
};  // --audit-fd N, which stays the caller's
using Target = std::variant<DefaultFile, File, Descriptor>;

// What the choice of the default folder depends on. Empty: not set.
struct Home {
  uid_t euid = 0;
  std::string xdg_state_home;
  std::string home;
};

Home home_of_this_process();  // geteuid(2) and the environment

// "/var/log/jail" for root, else "$XDG_STATE_HOME/jail/log" ("$HOME/.local/state/jail/log" without it). Pure. A
// relative value is a Problem.
std::variant<std::string, Problem> default_folder(const Home& home);

// "<profile>-<16 hexadecimal digits of the SHA-256 of profile_path>.jsonl": two profiles of one name at two places
// never share a log, without anybody having to read the file or settle who came first. The digest of the *content* is
// not part of the name, because an edit would then hide the history of the profile; each run.started records it.
std::string default_file_name(const std::string& profile, const std::string& profile_path);

struct Identity {
  std::string run;           // random::run_id()
  std::string profile;       // name
  std::string profile_path;  // absolute and without links, so that one profile has one log
};

// A record that a sink did not take, or the disk did not confirm, or for which nothing of the run's share was left
// (EDQUOT): which sink or share, and errno.
struct WriteError {
  std::string sink;
  int error = 0;
};
std::string text_of(const WriteError& error);  // "/srv/log.jsonl: No space left on device"

// When records are on disk. Each is in the kernel's page cache before append() returns, so that no crash of a process
// takes it away; this is about loss of power.
enum class Durable {
  Batch,  // a second after they were written
  None,   // when the kernel comes to it
  Each,   // denials, lifecycle and loss before append() returns, the rest as Batch
};

struct Bounds {
  Retention retention{};
  Quota quota{};
};

struct Policy {
  Durable durable = Durable::Batch;
  Bounds bounds{};
};

class Log {
 public:
  Log(Identity identity, std::vector<Sink> sinks, event::Redactor redactor, const Policy& policy = {});
  ~Log();
  Log(Log&&) noexcept;
  Log& operator=(Log&&) noexcept;

  // Writes one record to every sink, or counts it where the run has used up its share. Before exec an error means that
  // the run is refused (exit status 125); afterwards it is counted in lost(). A number of the sequence is used up
  // either way, so that a gap in a file shows a loss.
  // Before start() and at run.ended this waits at most 200 ms for a pipe, socket or terminal that takes nothing, and
  // not again until it takes something; in between such a record waits by itself (sink.h).
  // Threads may append at the same time; who waits a second for another gives up (ETIMEDOUT), which counts as a loss.
  // With Durable::Each it waits for the disk as long as that takes, but for log.opened, which the next one takes along,
  // and for run.ended, which ~Log() brings there.
  [[nodiscard]] std::optional<WriteError> append(const event::Event& event);

  // By the thread that finds it, which may hold the log: it must not ask the log anything.
  using OnLoss = std::function<void(const WriteError&)>;
  // The plugin runs: from here on nothing waits, and a loss is told. There is room on the disk for the end of the run.
  void start(OnLoss on_loss = [](const WriteError&) {});
  // The run takes longer: from here on a thread hands over what waits and brings records to the disk.
  void keep();
  // Whether every sink takes records again: nothing waits, and there is room.
  [[nodiscard]] bool takes_records();
  // Whether there is a file among the sinks, which can be asked to be on disk.
  [[nodiscard]] bool reaches_disk() const;
  // The plugin has ended: what waits is handed over, or lost after the time above.
  void settle();

  [[nodiscard]] const std::string& run() const noexcept;
  // Never waits.
  struct SoFar {
    std::uint64_t events = 0;
    std::uint64_t denied = 0;  // of these
  };
  [[nodiscard]] SoFar so_far() const noexcept;
  // The first of its sinks that is a file; empty: none is.
  [[nodiscard]] std::string file() const;
  [[nodiscard]] event::Counts events_by_kind() const;  // appended so far, kinds that occurred
  [[nodiscard]] event::Counts counted() const;         // of these, not written because the run's share was used up
  [[nodiscard]] std::uint64_t denied_by_landlock() const;  // attempts, of which several may be told by one event
  [[nodiscard]] event::Counts lost() const;            // records not written, by sink; empty when none
  // The descriptors that must stay open when everything else is closed.
  [[nodiscard]] std::vector<int> descriptors() const;

 private:
  struct State;
  std::shared_ptr<State> state_;  // shared with the thread of the keeper, which may hang
};

// Opens every target. Where a file is new, log.opened becomes the first record of the run, so that a log whose
// beginning somebody took away is told from one that begins there. Never throws for what the machine refuses.
std::variant<Log, Problem> open(const Identity& identity, const std::vector<Target>& targets, const Home& home,
                                event::Redactor redactor = {}, const Policy& policy = {});

}  // namespace jail::audit
