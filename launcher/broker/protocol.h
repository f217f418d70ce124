// What a launcher without privilege and `jaild` say to each other: fixed-size records over a SOCK_SEQPACKET socket,
// with nothing in them that grows or points. Pure; takes any bytes.
//
// A request names no process, no group and no run of anybody. The child comes as a pidfd beside `Trace`, the ring goes
// back beside its answer. The connection is the lease: whoever closes it gives up what it was given.
#pragma once

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

struct Answer {
  std::string refused;     // empty: done
  trace::Support support;  // of Look
  std::uint64_t lost = 0;  // of Count
};

inline constexpr std::size_t kRequestBytes = 32;
inline constexpr std::size_t kReasonBytes = 160;  // each is cut to it
inline constexpr std::size_t kAnswerBytes = 24 + (1 + trace::kFamilies) * kReasonBytes;

std::string emit(const Request& request);
std::string emit(const Answer& answer);

// None, and `why`: it is no such record, or that of another version, whose programs tell other things.
std::optional<Request> parse_request(std::span<const std::byte> bytes, std::string& why);
std::optional<Answer> parse_answer(std::span<const std::byte> bytes, std::string& why);

}  // namespace jail::broker
