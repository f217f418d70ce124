// What a profile's text may consist of, before anything reads it as YAML.
#pragma once

#include <string>
#include <string_view>

#include "profile/diagnostic.h"

namespace jail::profile {

inline constexpr std::size_t kMostBytesOfText = 1 << 20;

// Adds what is wrong with the text as bytes: empty, above 1 MiB, no UTF-8, or characters that make a terminal or an
// editor show something else than what a parser reads (controls, lone carriage returns, bidirectional overrides).
void check_bytes(std::string_view text, const std::string& file, Diagnostics& diagnostics);

}  // namespace jail::profile
