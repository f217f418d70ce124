// From a plan that answers to one that asks. Both come from the same rules, so that they cannot drift apart: this only
// says of each verdict whether the supervisor hears of it.
#include <algorithm>

#include "confine/seccomp.h"

namespace jail::confine::seccomp {
namespace {

Verdict asked(Verdict verdict, Verdict allowed) {
  if (verdict == kAllow) return allowed;
  return verdict.action == Action::Errno ? kNotify : verdict;
}

// `allowed`: what becomes of an allowance.
void ask(Rule& rule, Verdict allowed) {
  for (Clause& clause : rule.clauses) clause.verdict = asked(clause.verdict, allowed);
  rule.otherwise = asked(rule.otherwise, allowed);
}

// The quiet ones come last: what is denied stays denied, whatever else is true of it.
void observe(Rule& rule, std::span<const Clause> quiet) {
  const bool open = rule.otherwise == kAllow;
  ask(rule, kNotify);
  if (open) rule.clauses.insert(rule.clauses.end(), quiet.begin(), quiet.end());
}

void simplify(Rule& rule) {
  const auto decides_nothing = [&rule](const Clause& clause) { return clause.verdict == rule.otherwise; };
  if (std::ranges::all_of(rule.clauses, decides_nothing)) rule.clauses.clear();
}

}  // namespace

Plan observed(const Plan& plan, std::span<const Observation> observations) {
  Plan asking = plan;
  asking.foreign = kNotify;
  for (const Observation& wanted : observations)
    if (find_row(wanted.number) != nullptr) observe(asking.rules[wanted.number], wanted.quiet);
  for (const Row& row : rows()) {
    ask(asking.rules[row.number], kAllow);
    simplify(asking.rules[row.number]);
  }
  return asking;
}

}  // namespace jail::confine::seccomp
