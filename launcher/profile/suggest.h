// "Did you mean ...?": the known word nearest to a wrong one.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace jail::profile {

// The nearest of the known words, or nothing when none is near enough to be a slip of the hand: at most one edit in
// three characters, never more than three.
std::string_view nearest(std::string_view word, std::span<const std::string_view> known);

// "did you mean 'read'?", else "one of: read, write", else (nothing known) empty.
std::string hint_for(std::string_view word, std::span<const std::string_view> known);

}  // namespace jail::profile
