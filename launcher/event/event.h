// What happened in a run: one small struct for each kind, in a variant. A new kind is a struct here with its kKind, a
// row in Body, and one function each in encode.cc and decode.cc. Strings are raw bytes as the kernel or the plugin
// gave them; only the encoder escapes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/clock.h"

namespace jail::event {

inline constexpr std::string_view kSchema = "jail/1";

enum class Source { Ebpf, Notify, KernelAudit, Egress, Supervisor };

// Who runs, on the host and inside. `groups`: what the plugin keeps on the host (DECISIONS 1).
struct User {
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::vector<std::uint32_t> groups{};
  std::uint32_t inside_uid = 0;
  std::uint32_t inside_gid = 0;
  bool operator==(const User&) const = default;
};

enum class LayerState { Enforced, Partial, Absent };

struct Layer {
  std::string name{};  // the vocabulary of DECISIONS 2: "landlock", "limits.memory"
  LayerState state = LayerState::Absent;
  std::string reason{};    // why it is not enforced in full; else empty
  std::string asked_by{};  // "crm.yaml:12", or empty for a default
  bool operator==(const Layer&) const = default;
};

// Written after the last probe and before exec.
struct RunStarted {
  static constexpr std::string_view kKind = "run.started";
  std::vector<std::string> command{};
  std::string profile_path{};
  std::string profile_digest{};  // SHA-256, 64 lower-case hexadecimal digits, as plan_digest
  std::string plan_digest{};
  User user{};
  std::string cgroup{};  // empty without one
  std::string kernel{};  // release, as uname(2) says
  std::vector<Layer> policy{};
  std::string event_source{};              // "ebpf", "notify" or "none"
  std::vector<std::string> blind_spots{};  // what that source cannot see
  bool operator==(const RunStarted&) const = default;
};

enum class Outcome { Exited, Signaled, Timeout, Oom, Seccomp, SetupError, MonitorLost, Killed };

// What the run cost. Absent: nobody could count it here.
struct Accounts {
  std::uint64_t wall_ms = 0;
  std::uint64_t user_ms = 0;
  std::uint64_t sys_ms = 0;
  std::optional<std::uint64_t> memory_peak{};  // bytes
  std::optional<std::uint64_t> processes{};    // ever started
  std::optional<std::uint64_t> blocks_read{};  // of 512 bytes (getrusage(2), ru_inblock)
  std::optional<std::uint64_t> blocks_written{};
  bool operator==(const Accounts&) const = default;
};

using Counts = std::vector<std::pair<std::string, std::uint64_t>>;

struct RunEnded {
  static constexpr std::string_view kKind = "run.ended";
  Outcome outcome = Outcome::Exited;
  std::optional<int> exit{};    // the plugin's own status
  std::optional<int> signal{};  // the signal's number
  std::string reason{};         // empty where the outcome says it all
  Accounts accounts{};
  Counts events{};  // by kind
  Counts lost{};    // by source; empty when nothing was
  bool operator==(const RunEnded&) const = default;
};

// A fault of the profile or of the machine, as profile::Diagnostic tells it.
struct Fault {
  std::string place{};  // "crm.yaml:12:5", or empty
  std::string message{};
  std::string hint{};  // or empty
  bool operator==(const Fault&) const = default;
};

// Nothing of the plugin ran.
struct RunRefused {
  static constexpr std::string_view kKind = "run.refused";
  std::string reason{};
  std::string layer{};  // which one could not be had; empty where it was no layer
  std::string hint{};
  std::vector<Fault> faults{};
  bool operator==(const RunRefused&) const = default;
};

// The first record of a new log file; after a rotation it names the file before it.
struct LogOpened {
  static constexpr std::string_view kKind = "log.opened";
  std::string profile_path{};
  std::string previous{};             // file name, empty for the first of all
  std::uint64_t previous_offset = 0;  // of its end, in bytes
  bool operator==(const LogOpened&) const = default;
};

using Body = std::variant<RunStarted, RunEnded, RunRefused, LogOpened>;

std::string_view kind_of(const Body& body) noexcept;
std::string_view name_of(Source source) noexcept;
std::string_view name_of(LayerState state) noexcept;
std::string_view name_of(Outcome outcome) noexcept;

struct Event {
  Body body;
  Source source = Source::Supervisor;
  std::optional<std::uint64_t> process{};  // id of the process, as process.exec gave it
  std::optional<std::int32_t> pid{};       // on the host
  std::optional<std::int32_t> jail_pid{};  // as the plugin sees it
  std::uint64_t mono_ns = 0;               // CLOCK_BOOTTIME when it happened; 0: the log takes the moment of writing
  bool operator==(const Event&) const = default;
};

// What the log adds to an event when it writes it.
struct Stamp {
  std::uint64_t seq = 0;
  clock::WallTime time{};
  std::uint64_t mono_ns = 0;
  std::string run{};
  std::string profile{};
  bool operator==(const Stamp&) const = default;
};

// A line read back. The event's own mono_ns stays 0: the stamp has it.
struct Record {
  Stamp stamp;
  Event event;
  std::vector<std::string> truncated{};  // members that were cut to keep the line within kMaxLine
  bool operator==(const Record&) const = default;
};

}  // namespace jail::event
