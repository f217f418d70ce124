// How far one layer of the jail holds on this kernel, and which profile line asked for it. Every mechanism's plan says
// it; the run records it as the effective policy.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "profile/diagnostic.h"

namespace jail::confine {

enum class LayerState { Enforced, Partial, Absent };

constexpr const char* name_of(LayerState state) {
  switch (state) {
    case LayerState::Enforced: return "enforced";
    case LayerState::Partial: return "partial";
    case LayerState::Absent: return "absent";
  }
  return "absent";
}

struct Layer {
  std::string_view name;  // one of profile::kLayers
  LayerState state = LayerState::Enforced;
  std::string reason;                     // why not Enforced; empty else
  std::optional<profile::Place> asked_by;  // the profile line; none for a default
};

}  // namespace jail::confine
