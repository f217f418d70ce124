#include "profile/interpreters.h"

#include <algorithm>

#include "profile/paths.h"
#include "profile/rules.h"

namespace jail::profile {
namespace {

const PathFact& fact_of(const Facts& facts, const std::string& path) {
  static const PathFact missing;
  const auto found = facts.paths.find(path);
  return found == facts.paths.end() ? missing : found->second;
}

bool lies_in(const Facts& facts, const std::string& path, const std::string& folder) {
  return !folder.empty() && contains(Spot{folder, &fact_of(facts, folder)}, Spot{path, &fact_of(facts, path)});
}

const Grant* write_around(const Profile& profile, const Facts& facts, const std::string& path) {
  const auto around = std::ranges::find_if(profile.filesystem.grants, [&](const Grant& grant) {
    return grant.access == Access::Write && lies_in(facts, path, grant.path);
  });
  return around == profile.filesystem.grants.end() ? nullptr : &*around;
}

// What such a path means depends on who asks: for the launcher "/proc/self/exe" is the launcher.
bool is_of_the_kernel(std::string_view path) {
  return is_within(path, "/proc") || is_within(path, "/sys") || is_within(path, "/dev");
}

}  // namespace

std::string foreign_author(const Profile& profile, const Facts& facts, const std::string& program) {
  if (lies_in(facts, program, profile.plugin)) return "it came with the plugin";
  if (lies_in(facts, program, profile.state) || write_around(profile, facts, program) != nullptr)
    return "a plugin may have written it";
  const PathFact& fact = fact_of(facts, program);
  return fact.refused.empty() ? fact.foreign : fact.refused;
}

std::string why_no_interpreter(const Facts& facts, const std::string& path) {
  const PathFact& fact = fact_of(facts, path);
  if (is_of_the_kernel(path)) return "is no program of its own";
  if (!fact.refused.empty()) return {};
  if (fact.kind == PathKind::Missing) return "is not there";
  return fact.kind == PathKind::File && (fact.mode & 0111) != 0 ? "" : "is no program";
}

std::vector<std::string> brought_interpreters(const Profile& profile, const Facts& facts, const Grant& grant) {
  std::vector<std::string> brought;
  if (grant.access != Access::Exec) return brought;
  bool trusted = foreign_author(profile, facts, grant.path).empty();
  for (const std::string& interpreter : fact_of(facts, grant.path).interpreters) {
    const bool own = foreign_author(profile, facts, interpreter).empty();
    trusted = trusted && own;
    if ((trusted || (own && interpreter == kLoader)) && why_no_interpreter(facts, interpreter).empty())
      brought.push_back(interpreter);
  }
  return brought;
}

}  // namespace jail::profile
