#include "profile/quoted.h"

#include "base/text.h"

namespace jail::profile {

std::string quoted(std::string_view text) {
  constexpr std::size_t kLongest = 120;
  if (text.size() <= kLongest) return "'" + text::for_people(text) + "'";
  std::size_t cut = 0;  // behind a whole character
  while (cut < kLongest) cut += text::first_character(text.substr(cut)).size;
  return "'" + text::for_people(text.substr(0, cut)) + "...'";
}

}  // namespace jail::profile
