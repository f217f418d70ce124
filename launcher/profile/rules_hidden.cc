// What `filesystem.hide` promises and a view can keep: a mask needs something to stand on, and nothing may shine
// through.
#include <algorithm>

#include "profile/quoted.h"
#include "profile/rules.h"

namespace jail::profile {
namespace {

const Grant* write_around(const Case& now, const Spot& path) {
  const std::vector<Grant>& grants = now.profile.filesystem.grants;
  for (std::size_t i = 0; i < grants.size(); ++i)
    if (grants[i].access == Access::Write && contains(now.granted[i], path)) return &grants[i];
  return nullptr;
}

bool is_granted(const Case& now, const Spot& path) {
  return std::ranges::any_of(now.granted, [&](const Spot& grant) { return contains(grant, path); });
}

// The view puts something over a path: what is not there cannot be covered, and a plugin may make it (DECISIONS 8).
void check_missing(Case& now, const Hidden& hidden) {
  const Grant* write = write_around(now, now.spot(hidden.path));
  if (write != nullptr)
    now.error(hidden.place,
              quoted(hidden.path) + " does not exist and cannot be covered: the plugin could make it by " +
                  see("the write grant", write->place),
              "create it first (mkdir -m 700), or grant the folders beside it");
  else
    now.error(hidden.place, quoted(hidden.path) + ": no such file or folder",
              "create it, or write {path: ..., optional: true} to hide it where it exists");
}

// Within one file the author says two things; a profile that hides what a template grants says one.
void check_both(Case& now, const Hidden& hidden, const Grant& grant) {
  const std::string both = quoted(hidden.path) + " is hidden and " + see("granted", grant.place);
  if (hidden.place.file == grant.place.file) now.error(hidden.place, both, "leave one of the two out");
  else now.warning(hidden.place, both + ": hide wins");
}

void check_present(Case& now, const Hidden& hidden, const Spot& spot) {
  for (std::size_t i = 0; i < now.granted.size(); ++i) {
    const Grant& grant = now.profile.filesystem.grants[i];
    if (grant.path == hidden.path) check_both(now, hidden, grant);
    else if (contains(spot, now.granted[i]))
      now.error(grant.place,
                quoted(grant.path) + " lies in " + quoted(hidden.path) + ", " + see("hidden", hidden.place),
                "nothing below a hidden place can be reached: hide its other entries instead");
  }
  if (!hidden.optional && !is_granted(now, spot))
    now.warning(hidden.place, quoted(hidden.path) + " is not granted anyway", "leave the line out");
}

void check_one(Case& now, const Hidden& hidden) {
  const Spot spot = now.spot(hidden.path);
  if (!spot.fact->refused.empty()) return now.error(hidden.place, quoted(hidden.path) + ": " + spot.fact->refused);
  if (spot.fact->kind != PathKind::Missing) return check_present(now, hidden, spot);
  if (!hidden.optional) check_missing(now, hidden);
}

// A preset names many places; what is missing of them below a write grant is told once a line.
void warn_of_uncovered(Case& now) {
  struct Line {
    const Hidden* first;
    int count;
  };
  std::vector<Line> lines;
  for (const Hidden& hidden : now.profile.filesystem.hidden) {
    if (!hidden.optional || now.fact(hidden.path).kind != PathKind::Missing ||
        !write_around(now, now.spot(hidden.path)))
      continue;
    const auto same = std::ranges::find_if(lines, [&](const Line& line) { return line.first->place == hidden.place; });
    if (same == lines.end()) lines.push_back({&hidden, 1});
    else ++same->count;
  }
  for (const Line& line : lines) {
    const std::string others = line.count > 1 ? " and " + std::to_string(line.count - 1) + " more" : "";
    now.warning(line.first->place,
                quoted(line.first->path) + others +
                    " below a write grant: missing, so not covered; the plugin can make and read them",
                "grant the folders the plugin needs instead of the one that holds these");
  }
}

}  // namespace

void check_hidden(Case& now) {
  for (const Hidden& hidden : now.profile.filesystem.hidden) check_one(now, hidden);
  warn_of_uncovered(now);
}

}  // namespace jail::profile
