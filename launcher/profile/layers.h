// The one vocabulary of layers (DECISIONS 2): `best_effort`, plan, doctor and events use these names and no other.
#pragma once

#include <array>
#include <string_view>

namespace jail::profile {

inline constexpr std::array<std::string_view, 27> kLayers{
    "userns",        "mount",        "pid",           "net",         "ipc",         "uts",
    "cgroupns",      "proc",         "landlock",      "seccomp",     "capabilities", "env",
    "fds",           "keyring",      "limits.memory", "limits.pids", "limits.cpu",  "limits.io",
    "limits.files",  "limits.file_size", "limits.time", "limits.cpu_time", "limits.core", "limits.temporary",
    "monitor",       "integrity",    "audit"};

constexpr bool is_layer(std::string_view name) {
  for (const std::string_view layer : kLayers)
    if (layer == name) return true;
  return false;
}

}  // namespace jail::profile
