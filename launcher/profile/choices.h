// The words a key may hold, once: read, emitted, suggested and held against the schema from these tables.
#pragma once

#include <array>
#include <string_view>

#include "profile/profile.h"

namespace jail::profile {

template <typename Value>
struct Choice {
  std::string_view name;
  Value value;
};
template <typename Value>
Choice(std::string_view, Value) -> Choice<Value>;  // clang 14 deduces no aggregates by itself

inline constexpr std::array kNetworkModes{Choice{"isolated", NetworkMode::Isolated}, Choice{"host", NetworkMode::Host}};
inline constexpr std::array kSniChecks{Choice{"on", Sni::On}, Choice{"off", Sni::Off}};
inline constexpr std::array kSyscallSets{Choice{"standard", SyscallSet::Standard},
                                         Choice{"strict", SyscallSet::Strict}};
inline constexpr std::array kMonitorSources{Choice{"auto", MonitorSource::Auto}, Choice{"ebpf", MonitorSource::Ebpf},
                                            Choice{"notify", MonitorSource::Notify},
                                            Choice{"none", MonitorSource::None}};
inline constexpr std::array kMonitorFiles{Choice{"none", MonitorFiles::None}, Choice{"denied", MonitorFiles::Denied},
                                          Choice{"changes", MonitorFiles::Changes}, Choice{"all", MonitorFiles::All}};
inline constexpr std::array kOnLoss{Choice{"count", OnLoss::Count}, Choice{"freeze", OnLoss::Freeze},
                                    Choice{"kill", OnLoss::Kill}};
inline constexpr std::array kDurable{Choice{"batch", Durable::Batch}, Choice{"each", Durable::Each},
                                     Choice{"none", Durable::None}};

template <typename Value, std::size_t size>
constexpr std::array<std::string_view, size> names_of(const std::array<Choice<Value>, size>& choices) {
  std::array<std::string_view, size> names{};
  for (std::size_t i = 0; i < size; ++i) names[i] = choices[i].name;
  return names;
}

template <typename Value, std::size_t size>
constexpr std::string_view name_of(const std::array<Choice<Value>, size>& choices, Value value) {
  for (const Choice<Value>& choice : choices)
    if (choice.value == value) return choice.name;
  return {};
}

}  // namespace jail::profile
