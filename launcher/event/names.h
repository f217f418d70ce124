// How enumerators are spelled in a record, in the order of their enumeration; one table serves both directions.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <string_view>

#include "event/event.h"

namespace jail::event {

template <typename Enum>
inline constexpr auto kNames = nullptr;

template <>
inline constexpr auto kNames<Source> = std::to_array<std::string_view>({"ebpf", "notify", "kernel-audit", "egress",
                                                                        "supervisor"});
static_assert(kNames<Source>.size() == static_cast<std::size_t>(Source::Supervisor) + 1);

template <>
inline constexpr auto kNames<LayerState> = std::to_array<std::string_view>({"enforced", "partial", "absent"});
static_assert(kNames<LayerState>.size() == static_cast<std::size_t>(LayerState::Absent) + 1);

template <>
inline constexpr auto kNames<Outcome> = std::to_array<std::string_view>({"exited", "signaled", "timeout", "oom",
                                                                         "seccomp", "setup-error", "monitor-lost",
                                                                         "killed"});
static_assert(kNames<Outcome>.size() == static_cast<std::size_t>(Outcome::Killed) + 1);

template <>
inline constexpr auto kNames<Decision> = std::to_array<std::string_view>({"allowed", "denied", "failed"});
static_assert(kNames<Decision>.size() == static_cast<std::size_t>(Decision::Failed) + 1);

template <typename Enum>
constexpr std::string_view spelled(Enum value) {
  return kNames<Enum>[static_cast<std::size_t>(value)];
}

template <typename Enum>
constexpr std::optional<Enum> named(std::string_view name) {
  const auto found = std::ranges::find(kNames<Enum>, name);
  if (found == kNames<Enum>.end()) return std::nullopt;
  return static_cast<Enum>(found - kNames<Enum>.begin());
}

// Of FileOpen: to read, the most usual by far, which a record leaves out.
inline constexpr std::string_view kUsualAccess = "read";

}  // namespace jail::event
