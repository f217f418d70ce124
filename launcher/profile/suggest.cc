#include "profile/suggest.h"

#include <algorithm>
#include <numeric>
#include <utility>
#include <vector>

namespace jail::profile {
namespace {

constexpr std::size_t kLongestWord = 64;  // no known word is longer; keeps a megabyte of nonsense from costing time

// Edits (insert, delete, replace) that turn one word into the other: Levenshtein's distance, one row at a time.
std::size_t distance(std::string_view from, std::string_view to) {
  std::vector<std::size_t> row(to.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= from.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= to.size(); ++j) {
      const std::size_t replaced = diagonal + (from[i - 1] == to[j - 1] ? 0 : 1);
      diagonal = std::exchange(row[j], std::min({replaced, row[j] + 1, row[j - 1] + 1}));
    }
  }
  return row.back();
}

}  // namespace

std::string_view nearest(std::string_view word, std::span<const std::string_view> known) {
  if (word.size() > kLongestWord) return {};
  std::string_view best;
  std::size_t fewest = std::min<std::size_t>(3, std::max<std::size_t>(1, word.size() / 3)) + 1;
  for (const std::string_view candidate : known)
    if (const std::size_t edits = distance(word, candidate); edits < fewest) {
      best = candidate;
      fewest = edits;
    }
  return best;
}

std::string hint_for(std::string_view word, std::span<const std::string_view> known) {
  if (known.empty()) return {};
  if (const std::string_view best = nearest(word, known); !best.empty())
    return "did you mean '" + std::string(best) + "'?";
  std::string hint = "one of: ";
  for (const std::string_view candidate : known) hint.append(hint.size() > 8 ? ", " : "").append(candidate);
  return hint;
}

}  // namespace jail::profile
