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

// Where an event comes from; what a source is and cannot see, run.started says.
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
  std::vector<std::string> sources{};      // which family of events comes from where, where it is not one for all
  std::vector<std::string> passed{};       // open descriptors the plugin was given: "7: file, read, /srv/data"
  bool operator==(const RunStarted&) const = default;
};

enum class Outcome { Exited, Signaled, Timeout, Oom, Seccomp, SetupError, MonitorLost, Killed };

// What the run cost. Absent: nobody could count it here.
struct Accounts {
  std::uint64_t wall_ms = 0;
  std::uint64_t user_ms = 0;
  std::uint64_t sys_ms = 0;
  std::optional<std::uint64_t> throttled_ms{};    // how long it has waited for limits.cpu
  std::optional<std::uint64_t> memory_peak{};     // bytes; of a control group: of all, with their files in memory
  std::optional<std::uint64_t> processes{};       // ever started
  std::optional<std::uint64_t> processes_peak{};  // at once, with threads; never under 2: one builds the jail
  std::optional<std::uint64_t> blocks_read{};  // of 512 bytes (getrusage(2), ru_inblock)
  std::optional<std::uint64_t> blocks_written{};
  std::optional<std::uint64_t> bytes_read{};  // from devices, as a control group counts them
  std::optional<std::uint64_t> bytes_written{};
  std::optional<std::uint64_t> bytes_sent{};  // by what network.allow and network.listen let through
  std::optional<std::uint64_t> bytes_received{};
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
  Counts limits{};   // how often each was reached, where a control group counts it
  Counts events{};   // by kind
  Counts counted{};  // of these, those that are not in the log one by one: the run had used up its share of it
  Counts lost{};     // by source; empty when nothing was
  Counts landlock{};  // its denials: "logged", and "denied" as the kernel's audit counts them; empty: nobody has asked
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

// Which file a path led to: device and inode as stat(2) gives them, and the mount it was reached through (statx(2)).
struct FileId {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::uint64_t mount = 0;
  bool operator==(const FileId&) const = default;
};

// A path as a process named it. `path` is absolute and without links that the view makes; `requested` is what stood in
// the call where that differs. Unknown: the memory with the name could not be read.
struct Named {
  std::string path{};
  std::string requested{};
  bool unknown = false;
  std::vector<std::string> marks{};  // of the path: "truncated" "deleted" "outside" (not below the plugin's root)
                                     // "folder" (that of a name which nobody has told)
  std::optional<FileId> file{};      // where it was reached
  bool operator==(const Named&) const = default;
};

// In each of the kinds below `call` is the system call's name, which a record leaves out where it is the usual one.

struct FileOpen {
  static constexpr std::string_view kKind = "file.open";
  std::string call{};
  Named named{};
  std::vector<std::string> access{};  // "read" "write" "append" "create" "truncate" "execute"; "stat": only looked at
  bool operator==(const FileOpen&) const = default;
};

struct FileCreate {
  static constexpr std::string_view kKind = "file.create";
  static constexpr std::string_view kUsualCall = "mkdir";
  std::string call{};
  Named named{};
  std::string type{};  // "file" "folder" "fifo" "socket" "device" "memory" (memfd_create(2))
  bool operator==(const FileCreate&) const = default;
};

struct FileDelete {
  static constexpr std::string_view kKind = "file.delete";
  static constexpr std::string_view kUsualCall = "unlink";
  std::string call{};
  Named named{};
  bool operator==(const FileDelete&) const = default;
};

struct FileRename {
  static constexpr std::string_view kKind = "file.rename";
  static constexpr std::string_view kUsualCall = "rename";
  std::string call{};
  Named named{};
  Named to{};
  bool operator==(const FileRename&) const = default;
};

// A second name, `named`, for `target`: the path of a hard link, the text of a symbolic one.
struct FileLink {
  static constexpr std::string_view kKind = "file.link";
  static constexpr std::string_view kUsualCall = "symlink";
  std::string call{};
  Named named{};
  Named target{};
  bool operator==(const FileLink&) const = default;
};

struct FileMetadata {
  static constexpr std::string_view kKind = "file.metadata";
  static constexpr std::string_view kUsualCall = "fchmodat";
  std::string call{};
  Named named{};
  std::string attribute{};  // "mode" "owner" "times" "xattr" "flags"
  bool operator==(const FileMetadata&) const = default;
};

struct ProcessExec {
  static constexpr std::string_view kKind = "process.exec";
  static constexpr std::string_view kUsualCall = "execve";
  std::string call{};
  Named named{};
  std::vector<std::string> argv{};  // as asked for
  bool argv_cut = false;            // there is more of it
  std::string sha256{};  // as plugin.file gave it, where monitor.hash asked for this file; else empty
  std::optional<std::int32_t> parent{};  // its pid, on the host
  bool operator==(const ProcessExec&) const = default;
};

struct ProcessExit {
  static constexpr std::string_view kKind = "process.exit";
  std::optional<int> exit{};    // its status
  std::optional<int> signal{};  // or the signal's number
  bool operator==(const ProcessExit&) const = default;
};

// A file that monitor.hash asks for, before anything of the plugin runs.
struct PluginFile {
  static constexpr std::string_view kKind = "plugin.file";
  std::string path{};     // in the jail's view, absolute and without links
  std::string sha256{};   // 64 lower-case hexadecimal digits; empty where there is a problem
  std::string problem{};  // why there is no digest
  bool operator==(const PluginFile&) const = default;
};

// The other side of a socket call: an Internet address with its port, or the path of a Unix socket ("@name" for an
// abstract one), or nothing but the number of another family.
struct Peer {
  std::string address{};
  std::optional<std::uint16_t> port{};
  std::string path{};
  std::optional<std::uint16_t> family{};
  bool unknown = false;  // the memory with the address could not be read
  std::string host{};    // the name that led there: said by the stream itself, or else what DNS gave the address for
  bool operator==(const Peer&) const = default;
};

struct NetConnect {
  static constexpr std::string_view kKind = "net.connect";
  static constexpr std::string_view kUsualCall = "connect";
  std::string call{};
  Peer peer{};
  std::string reason{};  // where it was refused for what the stream began with
  bool operator==(const NetConnect&) const = default;
};

struct NetListen {
  static constexpr std::string_view kKind = "net.listen";
  static constexpr std::string_view kUsualCall = "bind";
  std::string call{};
  Peer peer{};  // our own side
  bool operator==(const NetListen&) const = default;
};

// Somebody may have been let in; who, is not known before the call.
struct NetAccept {
  static constexpr std::string_view kKind = "net.accept";
  static constexpr std::string_view kUsualCall = "accept4";
  std::string call{};
  Peer peer{};  // our own side
  bool operator==(const NetAccept&) const = default;
};

struct NetSend {
  static constexpr std::string_view kKind = "net.send";
  static constexpr std::string_view kUsualCall = "sendto";
  std::string call{};
  Peer peer{};
  bool operator==(const NetSend&) const = default;
};

// A name that was looked up, and what the plugin was given for it.
struct NetDns {
  static constexpr std::string_view kKind = "net.dns";
  std::string name{};                  // lower case, octets that no host name has as \DDD (RFC 1035)
  std::string type{};                  // "A" "AAAA" "HTTPS" "TYPE4711"
  std::string rcode{};                 // "NXDOMAIN" "SERVFAIL" "REFUSED"; empty for NOERROR
  std::vector<std::string> answers{};  // addresses
  bool answers_cut = false;            // there were more of them
  std::optional<std::uint32_t> ttl{};  // seconds; of the answers, if there are any
  std::string reason{};                // why it was not answered as it was asked, where a verdict does not say it all
  bool operator==(const NetDns&) const = default;
};

// What has gone over a socket, to one other side or, where it spoke with many, to the rest of them (no address): told
// when the socket is closed. Bytes are those of whole IP packets.
struct NetFlow {
  static constexpr std::string_view kKind = "net.flow";
  std::string protocol{};  // "tcp" "udp" "icmp" "icmp6", or a number
  Peer peer{};
  std::uint16_t local_port = 0;
  std::uint64_t bytes_sent = 0;
  std::uint64_t packets_sent = 0;
  std::uint64_t bytes_received = 0;
  std::uint64_t packets_received = 0;
  std::uint64_t duration_ms = 0;  // since the first packet
  bool operator==(const NetFlow&) const = default;
};

// A call that the filter refuses whatever it is called with, or because of what stands in a register.
struct SyscallDenied {
  static constexpr std::string_view kKind = "syscall.denied";
  std::string call{};  // empty for a number of another ABI that has no name here
  std::uint32_t number = 0;
  std::string abi{};    // "i386" or "x32"; empty for x86-64
  Counts arguments{};   // "arg0" and so on: those that are plain numbers
  bool operator==(const SyscallDenied&) const = default;
};

// The same, where it asks for power; or the kernel's own no to it, for want of a capability.
struct PrivilegeAttempt {
  static constexpr std::string_view kKind = "privilege.attempt";
  std::string privilege{};  // "setuid" "ptrace" "mount" "bpf" "module" "namespace" "keyring" "signal"
  std::string call{};
  std::uint32_t number = 0;
  std::string abi{};
  Counts arguments{};
  std::string capability{};  // "CAP_SETUID" (capabilities(7)), where the kernel says no
  bool operator==(const PrivilegeAttempt&) const = default;
};

// What a source of events could not tell: never coalesced away, never dropped.
struct MonitorLost {
  static constexpr std::string_view kKind = "monitor.lost";
  std::uint64_t count = 0;
  std::string reason{};
  bool operator==(const MonitorLost&) const = default;
};

struct LimitReached {
  static constexpr std::string_view kKind = "limit.reached";
  std::string which{};  // "audit.bytes", "limits.pids"
  std::uint64_t value = 0;
  std::uint64_t limit = 0;
  bool operator==(const LimitReached&) const = default;
};

// Another source, or none, from here on.
struct MonitorChanged {
  static constexpr std::string_view kKind = "monitor.changed";
  std::string event_source{};  // as RunStarted
  std::string reason{};
  bool operator==(const MonitorChanged&) const = default;
};

// Somebody acted on the run from outside.
struct OperatorAction {
  static constexpr std::string_view kKind = "operator.action";
  std::string action{};  // "kill" "freeze" "thaw"
  std::uint32_t by_uid = 0;
  std::int32_t by_pid = 0;  // as the supervisor sees it; 0: it is in another pid namespace
  std::string reason{};     // what was given; may be empty
  bool operator==(const OperatorAction&) const = default;
};

using Body = std::variant<RunStarted, RunEnded, RunRefused, LogOpened, FileOpen, FileCreate, FileDelete, FileRename,
                          FileLink, FileMetadata, ProcessExec, ProcessExit, PluginFile, NetConnect, NetListen,
                          NetAccept, NetSend, NetDns, NetFlow, SyscallDenied, PrivilegeAttempt, LimitReached,
                          MonitorLost, MonitorChanged, OperatorAction>;

// Failed: the kernel said no for an ordinary reason, such as a file that is not there.
enum class Decision { Allowed, Denied, Failed };

struct Verdict {
  Decision decision = Decision::Allowed;
  std::string layer{};  // when denied: "landlock" "seccomp" "mount" "network" "limit" "permission"
  std::string rule{};   // "acme-crm.yaml:12", or "default"; empty where nothing was denied
  int error = 0;        // errno; 0: none
  bool predicted = false;  // told by the plan before the kernel has decided
  bool operator==(const Verdict&) const = default;
};

// Events alike that were not written one by one.
struct Repeats {
  std::uint64_t count = 0;
  clock::WallTime first{};
  clock::WallTime last{};
  std::vector<std::string> samples{};  // paths, where they differ
  bool operator==(const Repeats&) const = default;
};

std::string_view kind_of(const Body& body) noexcept;
std::string_view usual_call(const std::vector<std::string>& access) noexcept;  // of FileOpen
std::string_view name_of(Source source) noexcept;
std::string_view name_of(LayerState state) noexcept;
std::string_view name_of(Outcome outcome) noexcept;
std::string_view name_of(Decision decision) noexcept;

struct Event {
  Body body;
  Source source = Source::Supervisor;  // a record with a verdict leaves Notify out
  std::optional<std::uint64_t> process{};  // id of the process, as process.exec gave it
  std::optional<std::int32_t> pid{};       // on the host
  std::optional<std::int32_t> jail_pid{};  // as the plugin sees it
  std::uint64_t mono_ns = 0;               // CLOCK_BOOTTIME when it happened; 0: the log takes the moment of writing
  std::optional<Verdict> verdict{};
  bool expected = false;                   // what is not there and, as the profile says, need not be
  std::optional<Repeats> repeats{};        // then this stands for so many more of the same
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
