// From the built-in set and the profile's changes to one rule per number. Groups are applied before names and denials
// last, so that the order of lines does not matter: a name says more than its group, and deny wins.
#include <linux/audit.h>

#include <algorithm>

#include "confine/seccomp.h"

namespace jail::confine::seccomp {
namespace {

using profile::Diagnostic;
using profile::Place;
using profile::SyscallName;
using profile::SyscallSet;

bool applies(When when, SyscallSet set, const Options& options) {
  const auto has = [&options](Gap gap) { return std::ranges::find(options.gaps, gap) != options.gaps.end(); };
  switch (when) {
    case When::Always: return true;
    case When::Strict: return set == SyscallSet::Strict;
    case When::UnixAllowed: return options.unix_sockets == UnixSockets::Allowed;
    case When::UnixConnectOnly: return options.unix_sockets == UnixSockets::ConnectOnly;
    case When::UnixSocketpair:
      return options.unix_sockets == UnixSockets::SocketpairOnly || options.unix_sockets == UnixSockets::ConnectOnly;
    case When::GapPathMetadata: return has(Gap::PathMetadata);
    case When::GapTruncate: return has(Gap::Truncate);
    case When::GapSignals: return has(Gap::Signals);
    case When::GapProcesses: return has(Gap::Processes);
    case When::GapIpc: return has(Gap::Ipc);
  }
  return true;
}

bool is_group(const SyscallName& entry) { return entry.name.starts_with('@'); }
bool is_open(const Rule& rule) { return rule.otherwise == kAllow && rule.clauses.empty(); }
bool is_shut(const Rule& rule) { return rule.otherwise != kAllow && rule.clauses.empty(); }

class Planner {
 public:
  Planner(const profile::Syscalls& wanted, const Options& options) : wanted_(wanted), options_(options) {}

  Plan run() && {
    plan_.set = wanted_.set.value;
    for (const Row& row : rows()) plan_.rules[row.number] = built_in(row);
    for (const SyscallName& entry : wanted_.allow)
      if (is_group(entry)) allow_group(entry);
    for (const SyscallName& entry : wanted_.allow)
      if (!is_group(entry)) allow_call(entry);
    for (const SyscallName& entry : wanted_.deny) deny(entry);
    return std::move(plan_);
  }

 private:
  // The row as `standard` has it, under what the options say.
  Rule standard(const Row& row) const {
    Rule rule{.otherwise = row.standard};
    for (const Clause& clause : row.checks)
      if (applies(clause.when, plan_.set, options_)) rule.clauses.push_back(clause);
    return rule;
  }

  Rule built_in(const Row& row) const {
    if (plan_.set == SyscallSet::Strict && row.strict == Strict::Denied) return {.otherwise = kDeny};
    return standard(row);
  }

  Rule lifted_by_group(const Row& row) const { return row.risk.empty() ? Rule{.otherwise = kAllow} : standard(row); }

  void allow_group(const SyscallName& entry) {
    const Group* const group = find_group(entry.name);
    if (group == nullptr) return unknown(entry);
    const std::size_t change = record(entry, Change::Effect::Allowed);
    std::string kept;
    for (const Row& row : rows()) {
      if (!is_member(row, *group)) continue;
      const Rule lifted = lifted_by_group(row);
      replace(row, lifted, change);
      if (is_shut(lifted)) kept.append(kept.empty() ? "" : ", ").append(row.name);
    }
    if (kept.empty()) return;
    warn(entry.place, "'" + entry.name + "' does not open " + kept,
         "no group opens these: name a call itself if the plugin cannot do without it");
  }

  void allow_call(const SyscallName& entry) {
    const Row* const row = find_row(entry.name);
    if (row == nullptr) return unknown(entry);
    replace(*row, {.otherwise = kAllow}, record(entry, Change::Effect::Allowed));
    if (row->risk.empty() || is_open(standard(*row))) return;
    warn(entry.place, "'" + entry.name + "' without any check: " + std::string(row->risk),
         "leave it out unless the plugin fails without it");
  }

  void deny(const SyscallName& entry) {
    const Group* const group = find_group(entry.name);
    const Row* const one = find_row(entry.name);
    if (group == nullptr && one == nullptr) return unknown(entry);
    const std::size_t change = record(entry, Change::Effect::Denied);
    for (const Row& row : rows())
      if (&row == one || (group != nullptr && is_member(row, *group))) deny(row, entry, change);
    if (std::ranges::find(wanted_.allow, entry.name, &SyscallName::name) != wanted_.allow.end())
      warn(entry.place, "'" + entry.name + "' is allowed and denied: deny wins", "remove one of the two lines");
  }

  // What is refused already keeps its errno: libc falls back from clone3 on ENOSYS, not on EPERM.
  void deny(const Row& row, const SyscallName& entry, std::size_t change) {
    Rule& rule = plan_.rules[row.number];
    if (!is_shut(rule)) rule = {.otherwise = kDeny};
    rule.change = change;
    if (row.name == "execve")
      plan_.diagnostics.push_back({Diagnostic::Severity::Error, entry.place,
                                   "'" + entry.name + "' denies execve, which starts the plugin",
                                   "deny the calls of the group one by one, without execve"});
  }

  void replace(const Row& row, Rule rule, std::size_t change) {
    Rule& now = plan_.rules[row.number];
    if (rule.otherwise == now.otherwise && rule.clauses == now.clauses) return;
    rule.change = change;
    now = std::move(rule);
  }

  std::size_t record(const SyscallName& entry, Change::Effect effect) {
    plan_.changes.push_back({entry.name, entry.place, effect});
    return plan_.changes.size() - 1;
  }

  void unknown(const SyscallName& entry) {
    const std::string kind = is_group(entry) ? "group of system calls" : "system call";
    const std::string_view nearest = nearest_name(entry.name);
    plan_.diagnostics.push_back({Diagnostic::Severity::Error, entry.place, "unknown " + kind + " '" + entry.name + "'",
                                 nearest.empty() ? "" : "did you mean '" + std::string(nearest) + "'?"});
  }

  void warn(const Place& place, std::string message, std::string hint) {
    plan_.diagnostics.push_back({Diagnostic::Severity::Warning, place, std::move(message), std::move(hint)});
  }

  const profile::Syscalls& wanted_;
  const Options& options_;
  Plan plan_;
};

bool matches(const Clause& clause, const seccomp_data& call) {
  return std::ranges::all_of(clause.all(), [&](const Test& test) { return test.holds(call.args[test.argument]); });
}

}  // namespace

Plan plan(const profile::Syscalls& wanted, const Options& options) { return Planner(wanted, options).run(); }

Verdict evaluate(const Plan& plan, const seccomp_data& call) {
  const auto number = static_cast<std::uint32_t>(call.nr);
  if (call.arch != AUDIT_ARCH_X86_64 || number >= kX32Bit) return plan.foreign;
  if (number >= kTableEnd) return plan.unknown;
  const Rule& rule = plan.rules[number];
  for (const Clause& clause : rule.clauses)
    if (matches(clause, call)) return clause.verdict;
  return rule.otherwise;
}

std::optional<profile::Place> decided_by(const Plan& plan, std::uint32_t number) {
  if (number >= kTableEnd || !plan.rules[number].change) return std::nullopt;
  return plan.changes[*plan.rules[number].change].place;
}

}  // namespace jail::confine::seccomp
