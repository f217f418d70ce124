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

// Not an error: the same profile may meet the interpreter on the next machine.
void warn_of_unfit(Case& now, const Grant& grant, const std::string& starts, const std::string& why) {
  now.warning(grant.place, starts + ", which " + why + ": it is left out");
}

void refuse_chosen(Case& now, const Grant& grant, const std::string& starts, const std::string& interpreter,
                   const std::string& why) {
  now.error(grant.place, starts + ", which no exec line grants: " + why,
            "if the plugin may start it: exec: [" + interpreter + "]");
}

void check_program(Case& now, const Grant& grant) {
  const std::vector<std::string> brought = brought_interpreters(now.profile, now.facts, grant);
  for (const std::string& interpreter : now.fact(grant.path).interpreters) {
    if (std::ranges::find(brought, interpreter) != brought.end()) continue;
    if (is_named(now, grant, interpreter)) return;  // that line brings the rest of the chain
    const std::string starts = quoted(grant.path) + " is started by " + quoted(interpreter);
    const PathFact& fact = now.fact(interpreter);
    const bool is_program = fact.kind == PathKind::File && (fact.mode & 0111) != 0;
    const std::string author = foreign_author(now.profile, now.facts, grant.path);
    const std::string unfit = unfit_interpreter(now.profile, now.facts, interpreter);
    if (is_program && !author.empty()) return refuse_chosen(now, grant, starts, interpreter, author);
    if (is_program) return refuse_chosen(now, grant, starts, interpreter, quoted(interpreter) + " " + unfit);
    return warn_of_unfit(now, grant, starts, unfit);
  }
}

}  // namespace

void check_interpreters(Case& now) {
  for (const Grant& grant : now.profile.filesystem.grants)
    if (grant.access == Access::Exec) check_program(now, grant);
}

}  // namespace jail::profile
