// The audit log of one run, written by the supervisor alone. Everything is opened at the start and kept by descriptor,
// so the log outlives the supervisor's own move into an empty root. One record is one write(2): appends are atomic on a
// local file system, so runs that share a file do not interleave.
#pragma once

#include <sys/types.h>
#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "audit/problem.h"
#include "base/json.h"
#include "event/encode.h"
#include "event/event.h"

namespace jail::audit {

class Sink;

// Where records go.
struct DefaultFile {};  // a file of the profile's own in default_folder()
struct File {
  std::string path;
};  // --audit FILE; a FIFO or a device only because it is named here
struct Descriptor {
  int number = -1;
};  // --audit-fd N, which stays the caller's; 2 is standard error
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

// A record that a sink did not take: which sink, and errno.
struct WriteError {
  std::string sink;
  int error = 0;
};

class Log {
 public:
  Log(Identity identity, std::vector<Sink> sinks, event::Redactor redactor);
  ~Log();
  Log(Log&&) noexcept;
  Log& operator=(Log&&) noexcept;

  // Writes one record to every sink. Before exec an error means that the run is refused (exit status 125); afterwards
  // it is counted in lost(). A number of the sequence is used up either way, so that a gap in a file shows a loss.
  // Waits for a pipe, socket or terminal that takes nothing for at most 200 ms, and not again until it takes something.
  // Threads may append at the same time; who waits a second for another gives up (ETIMEDOUT), which counts as a loss.
  [[nodiscard]] std::optional<WriteError> append(const event::Event& event);

  [[nodiscard]] const std::string& run() const noexcept { return stamp_.run; }
  [[nodiscard]] event::Counts events_by_kind() const;  // appended so far, kinds that occurred
  [[nodiscard]] event::Counts lost() const;            // records not written, by sink; empty when none
  // The descriptors that must stay open when everything else is closed.
  [[nodiscard]] std::vector<int> descriptors() const;

 private:
  void stamp(const event::Event& event);

  struct Gate;
  std::unique_ptr<Gate> gate_;
  event::Stamp stamp_;  // of the last record
  std::vector<Sink> sinks_;
  event::Redactor redactor_;
  json::Writer writer_;
  std::string line_;
  std::array<std::uint64_t, std::variant_size_v<event::Body>> appended_{};
};

// Opens every target. Where a file is new, log.opened becomes the first record of the run, so that a log whose
// beginning somebody took away is told from one that begins there. Never throws for what the machine refuses.
std::variant<Log, Problem> open(const Identity& identity, const std::vector<Target>& targets, const Home& home,
                                event::Redactor redactor = {});

}  // namespace jail::audit
