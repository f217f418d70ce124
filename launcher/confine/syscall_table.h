// Every system call of x86-64 that this version knows, one row each: its number, its name, systemd's groups it belongs
// to, what the built-in sets do with it, and the arguments that are refused. The plan, the compiler, the log, the
// profile's `syscalls:` key and the tests all read this table; a new system call is one new line.
// Numbers and names: arch/x86/entry/syscalls/syscall_64.tbl of Linux 7.2. Groups: systemd.exec(5), SystemCallFilter=.
#pragma once

#include <array>
#include <cerrno>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string_view>

namespace jail::confine::seccomp {

// What the filter answers. Notify is in no plan() but in what observed() makes of one: the supervisor answers.
enum class Action : std::uint8_t { Allow, Errno, KillProcess, Notify };

struct Verdict {
  Action action = Action::Errno;
  std::uint16_t error = ENOSYS;  // for Errno
  bool operator==(const Verdict&) const = default;
};

inline constexpr Verdict kAllow{Action::Allow, 0};
inline constexpr Verdict kDeny{Action::Errno, EPERM};
inline constexpr Verdict kAbsent{Action::Errno, ENOSYS};  // as a kernel without this call answers: callers fall back
inline constexpr Verdict kKill{Action::KillProcess, 0};
inline constexpr Verdict kNotify{Action::Notify, 0};

// One look at an argument: its low 32 bits under `mask` are, or are not, one of the values. The kernel cuts every
// argument that decides about a denial to an int (SYSCALL_DEFINE's type cast), so garbage in the upper half evades
// nothing; the high half is for pointers.
struct Test {
  enum class Is : std::uint8_t { AnyOf, NoneOf };
  enum class Half : std::uint8_t { Low, High };
  static constexpr std::size_t kMostValues = 3;

  std::uint8_t argument = 0;  // 0..5
  Is is = Is::AnyOf;
  Half half = Half::Low;
  std::uint8_t count = 0;
  std::uint32_t mask = 0xffffffff;
  std::array<std::uint32_t, kMostValues> values{};

  bool operator==(const Test&) const = default;
  constexpr std::span<const std::uint32_t> wanted() const { return {values.data(), count}; }
  constexpr bool holds(std::uint64_t value) const {
    const auto looked_at = static_cast<std::uint32_t>(half == Half::Low ? value : value >> 32);
    bool found = false;
    for (const std::uint32_t one : wanted()) found |= (looked_at & mask) == one;
    return found == (is == Is::AnyOf);
  }
};

// When a clause belongs to the filter at all.
enum class When : std::uint8_t {
  Always,
  Strict,       // in the set `strict`
  UnixAllowed,  // AF_UNIX as UnixSockets says (seccomp.h)
  UnixConnectOnly,
  UnixSocketpair,
  GapPathMetadata,  // another layer has this gap on this machine: see Gap in seccomp.h
  GapTruncate,
  GapSignals,
  GapProcesses,
  GapIpc,
};

// The verdict for a call whose arguments pass all tests. Clauses are asked in order; the first that matches decides.
struct Clause {
  static constexpr std::size_t kMostTests = 3;

  constexpr Clause(When when_, std::initializer_list<Test> tests_, Verdict verdict_) : when(when_), verdict(verdict_) {
    for (const Test& test : tests_) tests[count++] = test;
  }
  bool operator==(const Clause&) const = default;
  constexpr std::span<const Test> all() const { return {tests.data(), count}; }

  When when;
  Verdict verdict;
  std::uint8_t count = 0;
  std::array<Test, kMostTests> tests{};
};

// systemd's groups. A set of them is a mask of these bits.
using Groups = std::uint64_t;

struct Group {
  std::string_view name;  // with its "@"
  Groups members;         // its own bit and those of the groups it includes
};

enum class Strict : std::uint8_t { Same, Denied };

struct Row {
  std::uint16_t number;
  std::string_view name;
  Groups groups;
  Verdict standard;              // in the set `standard`, when no clause decides
  Strict strict = Strict::Same;  // Denied: the set `strict` refuses the call whatever its arguments
  std::string_view risk = {};    // not empty: an invariant. No group lifts it or its checks, only its own
                                 // name; this says what is then given away
  std::span<const Clause> checks = {};
};

// One past the highest number of the table. What is beyond, or has no row, is answered ENOSYS.
inline constexpr std::uint32_t kTableEnd = 472;

std::span<const Row> rows();      // in the order of numbers
std::span<const Group> groups();  // in the order of names

const Row* find_row(std::uint32_t number);  // null: no such system call
const Row* find_row(std::string_view name);
const Group* find_group(std::string_view name);  // "@mount"
bool is_member(const Row& row, const Group& group);

// For the log: the name of a call; an unknown number has none.
std::optional<std::string_view> name_of(std::uint32_t number);

// The call or group that a mistyped name most likely means; empty when none is near.
std::string_view nearest_name(std::string_view mistyped);

}  // namespace jail::confine::seccomp
