// The calls that the supervisor looks at although the filter allows them: what each does and which arguments say to
// what. The filter, the decoder and the tests read this one table; a call to watch is a row more. What the filter
// denies needs no row: it is answered and told by its registers alone.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "confine/seccomp.h"
#include "profile/profile.h"

namespace jail::monitor {

enum class Operation : std::uint8_t {
  Open,      // by its flags
  Look,      // stat, access, readlink, reading attributes
  Enter,     // as the current folder
  Create,    // of a node; detail: its type
  Delete,
  Rename,
  Link,
  Symlink,   // the first name is a text
  Metadata,  // detail: which
  Truncate,     // detail: "truncate", or "write" for what changes its blocks
  CreateMemory,  // a file without a place; the first name is only a text
  MapCode,
  ProtectCode,   // memory that is mapped already
  Execute,  // from here on, whatever `monitor.files` says
  Connect,   // address and length
  Bind,
  Listen,  // on a socket, which knows its address
  Accept,
  Pair,    // sockets that are connected from the start
  Send,      // as Connect, of one datagram
  SendMessage,   // msghdr
  SendMessages,  // mmsghdr and how many
  ChangeIds,     // flags: how many ids
  ChangePowers,  // capabilities
  Signal,        // to a process by its number, the first argument
};

constexpr std::int8_t kNone = -1;

// Where in the arguments a file is named: the folder it is relative to, and the path. No path: the descriptor itself.
struct FileArgument {
  std::int8_t folder = kNone;  // none: the current one
  std::int8_t path = kNone;
  [[nodiscard]] constexpr bool is_there() const { return folder != kNone || path != kNone; }
};

// Some calls no layer but the filter denies: nobody need look at them where only denials are told.
enum class MayBe : std::uint8_t { Denied, OnlyAllowed };

struct Call {
  std::uint16_t number;
  Operation operation;
  FileArgument first{};    // of a socket call: path is the address
  FileArgument second{};   // of a socket call: path is its length
  std::int8_t flags = kNone;
  std::string_view detail{};
  std::span<const confine::seccomp::Clause> quiet{};
  MayBe may_be = MayBe::Denied;
  enum class Quiet : std::uint8_t { Always, UnlessAll } quiet_is = Quiet::Always;  // All: as monitor.files says
};

// In no particular order, each number once.
std::span<const Call> calls();
const Call* find_call(std::uint32_t number);

// What eBPF tells of a run, so that notification does not tell it again.
struct Traced {
  bool programs = false;
  enum class Files : std::uint8_t { None, Reached, AtExit } files = Files::None;  // by hooks; by the end of each call
};
enum class Share : std::uint8_t { Nothing, Allowed, Everything };
// Of what this call attempts. A program that is denied, notification tells: it has the arguments.
Share share_of(const Traced& traced, const Call& call);

// What the filter must notify for this choice of `monitor.files`. Programs, sockets and ids always.
std::vector<confine::seccomp::Observation> observations(profile::MonitorFiles files, const Traced& traced = {});

// What a denied call asks for, and which of its arguments are plain numbers worth telling (bit n: argument n).
struct Privilege {
  std::string_view call;
  std::string_view privilege;  // empty: none, it is only denied
  std::uint8_t numbers = 0;
};
const Privilege* find_privilege(std::string_view call);

// i386 has numbers of its own; those that ask for power. Null: another.
const Privilege* find_i386_privilege(std::uint32_t number);

}  // namespace jail::monitor
