#include "run/prepare.h"

#include <unistd.h>

#include "base/sha256.h"
#include "profile/load.h"
#include "profile/validate.h"
#include "run/facts.h"

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

// ${state} is made where the profile lets the plugin write in it: it would be a missing path on the first run.
void make_granted_state(const Prepared& prepared) {
  const std::string state = prepared.places.state + "/" + prepared.profile.name;
  const confine::identity::Plan who =
      confine::identity::plan(prepared.profile.user, launcher(), account_of(prepared.profile));
  for (const profile::Grant& grant : prepared.profile.filesystem.grants) {
    if (grant.access != profile::Access::Write || !(grant.path + "/").starts_with(state + "/")) continue;
    make_state_folder(prepared.places.state, grant.path, who.uid, who.gid);
  }
}

void read_and_validate(Prepared& prepared, const Wanted& wanted, State state) {
  profile::Loaded loaded = profile::load(prepared.path, inputs_of(prepared.places, wanted.set));
  prepared.profile = std::move(loaded.profile);
  prepared.diagnostics = std::move(loaded.diagnostics);
  if (profile::has_errors(prepared.diagnostics)) return;
  if (state == State::Make) make_granted_state(prepared);
  prepared.facts = collect(prepared.profile, prepared.places, wanted.set);
  Chains chains;
  for (const std::string& log : wanted.logs)
    prepared.facts.protected_places.push_back(protect(chains, "the audit log", without_links(log)));
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

Plan plan_for(const Prepared& prepared, const Wanted& wanted) {
  Request request;
  request.argv = wanted.command;
  request.caller_environment = environment();
  request.mounts = collect_mounts(prepared.profile);
  request.launcher = launcher();
  request.strictness = wanted.strictness;
  request.account = account_of(prepared.profile);
  return plan(prepared.profile, prepared.facts, probe(), request);
}

std::string digest_of(const profile::Profile& profile) {
  std::string all;
  for (const profile::SourceFile& source : profile.sources) all += source.sha256 + "\n";
  return sha256_hex(all);
}

}  // namespace jail::run
