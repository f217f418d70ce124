// What a launcher without privilege and `jaild` say to each other: fixed-size records over a SOCK_SEQPACKET socket,
// with nothing in them that grows or points. Pure; takes any bytes.
//
// A request names no process, no group and no run of anybody. The child comes as a pidfd beside `Trace`, `Group` and
// `Join`; the ring goes back beside the answer, or the group. The connection is the lease: whoever closes it gives up
// what it was given.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "trace/programs.h"

namespace jail::broker {

inline constexpr const char* kSocket = "/run/jail/jaild.sock";

enum class Ask : std::uint32_t {
  Look = 1,   // what can be told here
  Trace = 2,  // tell of the child's jail; once
  Count = 3,  // events of it that had no room
  Group = 4,  // a control group for the child's jail; once
  Join = 5,   // another child of the same jail into it
};

struct Request {
  Ask ask = Ask::Look;
  std::uint32_t families = 0;    // of Trace, a bit each, by trace::Family
  std::uint32_t what = 0;        // of jail_want (bpf/events.h)
  std::uint32_t ring_bytes = 0;  // a power of two, kLeastRing to kMostRing
  bool operator==(const Request&) const = default;
};
inline constexpr std::uint32_t kLeastRing = 1U << 16;
inline constexpr std::uint32_t kMostRing = 1U << 24;

// What of a group goes back beside its folder: descriptors for writing, in this order.
inline constexpr std::array kLentFiles{"cgroup.freeze", "cgroup.kill", "memory.oom.group", "memory.swap.max",
                                       "memory.max",    "pids.max",    "cpu.max",          "io.max"};

struct Answer {
  std::string refused;            // empty: done
  trace::Support support;         // of Look
  std::string no_groups;          // of Look: why; empty: there are
  std::uint64_t lost = 0;         // of Count
  std::uint32_t controllers = 0;  // of Look and Group, of sys::delegation::Controller
  std::uint32_t files = 0;        // of Group: which of kLentFiles come along, a bit each
};

inline constexpr std::size_t kRequestBytes = 32;
inline constexpr std::size_t kReasonBytes = 160;  // each is cut to it
inline constexpr std::size_t kAnswerBytes = 32 + (2 + trace::kFamilies) * kReasonBytes;

std::string emit(const Request& request);
std::string emit(const Answer& answer);

// None, and `why`: it is no such record, or that of another version, whose programs tell other things.
std::optional<Request> parse_request(std::span<const std::byte> bytes, std::string& why);
std::optional<Answer> parse_answer(std::span<const std::byte> bytes, std::string& why);

}  // namespace jail::broker
