#include "run/prepare.h"

#include <unistd.h>

#include "base/sha256.h"
#include "confine/landlock_rights.h"
#include "egress/upstreams.h"
#include "profile/environment.h"
#include "profile/load.h"
#include "profile/quoted.h"
#include "profile/validate.h"
#include "registry/disabled.h"
#include "run/facts.h"
#include "run/findings.h"
#include "run/placement.h"
#include "run/tracing.h"

namespace jail::run {
namespace {

profile::Diagnostic not_found(const Wanted& wanted, const Places& places) {
  profile::Diagnostic fault;
  fault.place.file = wanted.profile;
  fault.message = "no such profile";
  fault.hint = "looked in";
  for (const std::string& folder : places.profiles) fault.hint += " " + folder;
  fault.hint += "; a name with a slash is a path";
  return fault;
}

profile::Diagnostic unusable(const std::string& problem) {
  profile::Diagnostic fault;
  fault.place.file = "environment";
  fault.message = problem;
  fault.hint = "unset it, or give the whole path";
  return fault;
}

std::optional<confine::identity::Account> account_of(const profile::Profile& profile) {
  const profile::User& user = profile.user.value;
  if (user.kind != profile::User::Kind::Named) return std::nullopt;
  return confine::identity::find_account(user.name);
}

// ${state} comes to be where the profile lets the plugin write in it: it would be a missing path on the first run.
std::vector<std::string> granted_state(const Prepared& prepared) {
  const std::string state = prepared.places.state + "/" + prepared.profile.name;
  std::vector<std::string> folders;
  for (const profile::Grant& grant : prepared.profile.filesystem.grants)
    if (grant.access == profile::Access::Write && (grant.path + "/").starts_with(state + "/"))
      folders.push_back(grant.path);
  return folders;
}

void make_granted_state(const Prepared& prepared) {
  const confine::identity::Plan who =
      confine::identity::plan(prepared.profile.user, launcher(), account_of(prepared.profile));
  for (const std::string& folder : granted_state(prepared))
    make_state_folder(prepared.places.state, folder, who.uid, who.gid);
}

// As they will be once `run` has made them. No filesystem has device 0, so that none of them is taken for another.
void foresee_granted_state(Prepared& prepared) {
  std::uint64_t number = 0;
  for (const std::string& folder : granted_state(prepared)) {
    profile::PathFact& fact = prepared.facts.paths[folder];
    if (fact.kind != profile::PathKind::Missing || !fact.refused.empty()) continue;
    fact.kind = profile::PathKind::Directory;
    fact.identity = {0, ++number};
    fact.mode = 0700;
  }
}

// Rules, plan and log take it for a line of the profile.
void put_over(profile::Monitor& monitor, const MonitorWanted& wanted) {
  const profile::Place here{.file = "--monitor"};
  if (wanted.source) monitor.source = {*wanted.source, here};
  if (wanted.source == profile::MonitorSource::None) monitor.files = profile::Monitor().files;
  if (wanted.files) monitor.files = {*wanted.files, here};
}

void read_and_validate(Prepared& prepared, const Wanted& wanted, State state) {
  profile::Loaded loaded = profile::load(prepared.path, inputs_of(prepared.places, wanted.set));
  prepared.profile = std::move(loaded.profile);
  prepared.diagnostics = std::move(loaded.diagnostics);
  put_over(prepared.profile.monitor, wanted.monitor);
  if (profile::has_errors(prepared.diagnostics)) return;
  if (state == State::Make) make_granted_state(prepared);
  prepared.facts = collect(prepared.profile, prepared.places, wanted.set);
  if (state == State::Foresee) foresee_granted_state(prepared);
  Chains chains;
  for (const OwnFile& own : wanted.own_files)
    prepared.facts.protected_places.push_back(protect(chains, own.what, without_links(own.path)));
  const profile::Diagnostics unknown = confine::seccomp::plan(prepared.profile.syscalls).diagnostics;
  prepared.diagnostics.insert(prepared.diagnostics.end(), unknown.begin(), unknown.end());
  const profile::Diagnostics faults = profile::validate(prepared.profile, prepared.facts);
  prepared.diagnostics.insert(prepared.diagnostics.end(), faults.begin(), faults.end());
}

// ${env:NAME} may have put a secret's value into a path that is now complained of.
void redact(profile::Diagnostics& diagnostics, const event::Redactor& redactor) {
  if (redactor.finds_nothing()) return;
  for (profile::Diagnostic& diagnostic : diagnostics) {
    diagnostic.message = redactor.redact(diagnostic.message);
    diagnostic.hint = redactor.redact(diagnostic.hint);
  }
}

profile::Diagnostic warning(const profile::Place& place, std::string message, std::string hint) {
  return {profile::Diagnostic::Severity::Warning, place, std::move(message), std::move(hint)};
}

// `variable`: NAME=VALUE.
void add_exposed(profile::Diagnostics& warnings, const profile::Environment& env, const std::string& variable) {
  const std::size_t equals = variable.find('=');
  if (equals == std::string::npos || equals + 1 == variable.size()) return;
  if (variable.size() - equals - 1 >= event::Redactor::kShortest) return;
  const std::string name = variable.substr(0, equals);
  for (const profile::EnvName& entry : env.secret)
    if (profile::passes(entry.pattern, name))
      warnings.push_back(warning(entry.place,
                                 "the value of " + profile::quoted(name) + " is too short to be kept out of the log",
                                 "only values of 8 bytes and more are looked for there"));
}

Plan plan_with(const Support& support, const Prepared& prepared, const Wanted& wanted) {
  Request request;
  request.argv = wanted.command;
  request.caller_environment = environment();
  request.mounts = collect_mounts(prepared.profile);
  if (const auto& allow = prepared.profile.network.allow; !allow.empty())
    request.settings_of_names = egress::read_settings_of_names(allow);
  request.launcher = launcher();
  request.strictness = wanted.strictness;
  request.account = account_of(prepared.profile);
  return plan(prepared.profile, prepared.facts, support, request);
}

}  // namespace

Prepared prepare(const Wanted& wanted, State state) {
  Prepared prepared;
  prepared.places = find_places(::geteuid());
  if (!prepared.places.problem.empty()) {
    prepared.diagnostics.push_back(unusable(prepared.places.problem));
    return prepared;
  }
  const auto path = find_profile(prepared.places, wanted.profile);
  if (!path) {
    prepared.diagnostics.push_back(not_found(wanted, prepared.places));
    return prepared;
  }
  prepared.path = *path;
  read_and_validate(prepared, wanted, state);
  prepared.redactor = event::Redactor(confine::environment::plan(prepared.profile.env, environment()).secrets);
  redact(prepared.diagnostics, prepared.redactor);
  return prepared;
}

std::optional<Refusal> disabled(const Prepared& prepared) {
  const auto found = registry::find_disabled(prepared.places.disabled, prepared.profile.name);
  if (!found) return std::nullopt;
  const bool all = found->profile.empty();
  return Refusal{"profile",
                 (all ? "every profile" : "profile '" + found->profile + "'") + " is disabled by uid " +
                     std::to_string(found->by) + " since " + found->since +
                     (found->reason.empty() ? "" : ": " + found->reason),
                 "who may lets it run again by 'jail enable " + (all ? "--all" : found->profile) + "'",
                 {}};
}

Plan plan_for(const Prepared& prepared, const Wanted& wanted) {
  TraceAccess access;
  const unsigned needed = confine::limits::needed(prepared.profile.limits);
  return plan_for(prepared, wanted, Placement::foresee(wanted.broker, needed), access);
}

Plan plan_for(const Prepared& prepared, const Wanted& wanted, const sys::delegation::Support& group,
              TraceAccess& access) {
  Support support = probe();
  support.group = group;
  access = TraceAccess::find(prepared.profile, wanted.broker);
  support.monitor.trace = access.support;
  support.monitor.landlock_records = bool{access.landlock_records};
  Plan plan = plan_with(support, prepared, wanted);
  if (access.broker && plan.monitor.ring_bytes > broker::kMostRing)
    access.why_not = "jaild lends no ring of more than " + std::to_string(broker::kMostRing >> 20) + " MiB";
  if (access.why_not.empty()) return plan;
  if (plan.monitor.tracing == monitor::Tracing::Asked)
    plan.refusals.push_back({"monitor", access.why_not, "a smaller 'ring'", prepared.profile.monitor.ring.stated});
  else if (plan.monitor.source != monitor::Source::None) monitor::leave_out_trace(plan.monitor, access.why_not);
  return plan;
}

profile::Diagnostics refused_everywhere(const Prepared& prepared, const Wanted& wanted) {
  Support best{.landlock = {.abi = confine::landlock::kNewestAbi}};
  best.monitor.seccomp.notify = best.monitor.seccomp.wait_killable = true;
  best.monitor.trace.emplace();
  best.group.controllers = sys::delegation::kAll | sys::delegation::kIo;
  profile::Diagnostics warnings;
  for (const Refusal& refusal : plan_with(best, prepared, wanted).refusals)
    warnings.push_back(warning(refusal.place.value_or(prepared.profile.place),
                               prepared.redactor.redact("a run is refused: " + refusal.layer + ": " + refusal.reason),
                               refusal.hint));
  return warnings;
}

profile::Diagnostics remarks(const Prepared& prepared, const Wanted& wanted) {
  profile::Diagnostics warnings;
  for (const std::string& variable : environment()) add_exposed(warnings, prepared.profile.env, variable);
  const std::string& name = prepared.profile.name;
  const bool by_name = wanted.profile.find('/') == std::string::npos;
  if (by_name && !name.empty() && wanted.profile != name)
    warnings.push_back(warning(prepared.profile.place,
                               "this profile's name is " + profile::quoted(name) + ", not " +
                                   profile::quoted(wanted.profile),
                               "its log and ${state} go by the name it states"));
  return warnings;
}

profile::Diagnostics unmatched_patterns(const Prepared& prepared) {
  const std::vector<monitor::HashedFiles> hashed = monitor::plan_hashed(prepared.profile, prepared.facts);
  return unmatched(hashed, monitor::count_matches(hashed));
}

std::string digest_of(const profile::Profile& profile) {
  std::string all;
  for (const profile::SourceFile& source : profile.sources) all += source.sha256 + "\n";
  return sha256_hex(all);
}

}  // namespace jail::run
