// Named lists for `filesystem.hide`: places under a home that hold secrets, so that whoever grants a home, or a part of
// it, need not remember them all. Most do not exist on any one machine, so all are optional.
#pragma once

#include <span>
#include <string_view>

namespace jail::profile {

struct Preset {
  std::string_view name;                    // "home-secrets" of "preset:home-secrets"
  std::span<const std::string_view> below;  // paths below the operator's home
};

std::span<const Preset> presets();

}  // namespace jail::profile
