// What starts a granted program and does not come with it: the plugin would fail to start it, and only its author could
// say why.
#include <algorithm>

#include "profile/interpreters.h"
#include "profile/quoted.h"
#include "profile/rules.h"

namespace jail::profile {
namespace {

bool is_named(const Case& now, const Grant& program, const std::string& interpreter) {
  return std::ranges::any_of(now.profile.filesystem.grants, [&](const Grant& grant) {
    return grant.access == Access::Exec && grant.path != program.path && now.contains(grant.path, interpreter);
  });
}

void check_program(Case& now, const Grant& grant) {
  const std::vector<std::string> brought = brought_interpreters(now.profile, now.facts, grant);
  for (const std::string& interpreter : now.fact(grant.path).interpreters) {
    if (std::ranges::find(brought, interpreter) != brought.end()) continue;
    if (is_named(now, grant, interpreter)) return;  // that line brings the rest of the chain
    const std::string starts = quoted(grant.path) + " is started by " + quoted(interpreter);
    // Not an error: it may be there when the plugin runs, or nobody ever starts the program.
    if (const std::string why = why_no_interpreter(now.facts, interpreter); !why.empty())
      return now.warning(grant.place, starts + ", which " + why + ": it is left out");
    const std::string author = foreign_author(now.profile, now.facts, grant.path);
    return now.error(grant.place,
                     starts + ", which no exec line grants: " +
                         (author.empty() ? foreign_author(now.profile, now.facts, interpreter) : author),
                     "if the plugin may start it: exec: [" + interpreter + "]");
  }
}

}  // namespace

void check_interpreters(Case& now) {
  for (const Grant& grant : now.profile.filesystem.grants)
    if (grant.access == Access::Exec) check_program(now, grant);
}

}  // namespace jail::profile
