// YAML text to a Document, and everything that is refused about the text as YAML, whatever its keys mean: anchors,
// aliases, tags, merge keys, directives, several documents, duplicate keys, keys that are no plain words, nesting
// deeper than 32, more than 16384 entries in one list. Whoever reads a profile sees all there is to it.
#pragma once

#include <string>
#include <string_view>

#include "profile/document.h"

namespace jail::profile {

inline constexpr std::size_t kDeepest = 32;
inline constexpr std::size_t kMostEntries = 16'384;  // of one list or mapping
inline constexpr std::size_t kMostNodes = 65536;   // of one file

struct Parsed {
  Document document;
  Diagnostics diagnostics;
};

// No exception leaves it, whatever the bytes are.
Parsed parse(std::string_view text, std::string file);

}  // namespace jail::profile
