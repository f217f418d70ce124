// `jail disable` and `jail enable`: the emergency hand. What is disabled is refused from then on (status 125).
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <memory>

#include "base/clock.h"
#include "base/text.h"
#include "cli/jails.h"
#include "cli/verbs.h"
#include "profile/profile.h"
#include "registry/disabled.h"
#include "run/places.h"

namespace jail::cli {
namespace {

struct Wanted {
  std::string profile;
  std::string reason;
  bool is_named = false;
  bool all = false;
  bool kill = false;
};

constexpr const char* kFooter =
    R"(PROFILE is the name that stands in the profile. Root's word holds for every user, a user's for himself.
Without PROFILE and --all: what is disabled now.

Examples:
  jail disable acme-crm --reason "CVE-2026-1234" --kill
  jail disable --all --kill
  jail disable
  jail enable acme-crm
)";

std::vector<std::string> folders() { return run::find_places(::geteuid()).disabled; }

// Root has one; a user every one that a run of his may look into, whatever XDG_STATE_HOME says then.
std::vector<std::string> own_folders() {
  std::vector<std::string> own = folders();
  if (::geteuid() != 0) own.erase(own.begin());
  return own;
}

std::string called(const std::string& profile) {
  return profile.empty() ? "every profile" : "profile '" + text::for_people(profile) + "'";
}

int list() {
  for (const registry::Disabled& one : registry::list_disabled(folders()))
    std::printf("%s, since %s, by uid %u%s%s\n", called(one.profile).c_str(), text::for_people(one.since).c_str(),
                one.by, one.reason.empty() ? "" : ": ", text::for_people(one.reason).c_str());
  return EXIT_SUCCESS;
}

int refuse_name(const std::string& name) {
  std::fprintf(stderr, "jail: '%s' is no name of a profile\n  hint: it stands in the profile, after 'name:'\n",
               text::for_people(name).c_str());
  return EXIT_FAILURE;
}

int disable_verb(const Wanted& wanted) {
  if (!wanted.is_named && !wanted.all) return list();
  if (!wanted.all && !profile::is_profile_name(wanted.profile)) return refuse_name(wanted.profile);
  const registry::Disabled disabled{.profile = wanted.profile,
                                    .reason = wanted.reason,
                                    .by = ::geteuid(),
                                    .since = clock::rfc3339(clock::wall_now())};
  for (const std::string& folder : own_folders()) registry::disable(folder, disabled);
  std::printf("%s is disabled\n", called(wanted.profile).c_str());
  return wanted.kill ? kill_jails(wanted.profile, wanted.reason.empty() ? "disabled" : wanted.reason) : EXIT_SUCCESS;
}

int enable_verb(const Wanted& wanted) {
  if (!wanted.all && !profile::is_profile_name(wanted.profile)) return refuse_name(wanted.profile);
  bool was_disabled = false;
  for (const std::string& folder : own_folders())
    was_disabled = registry::enable(folder, wanted.profile) || was_disabled;
  if (!was_disabled) std::fprintf(stderr, "jail: %s was not disabled by you\n", called(wanted.profile).c_str());
  if (const auto left = registry::find_disabled(folders(), wanted.profile)) {
    std::fprintf(stderr, "jail: %s still is, by uid %u\n", called(left->profile).c_str(), left->by);
    return EXIT_FAILURE;
  }
  if (was_disabled) std::printf("%s may run\n", called(wanted.profile).c_str());
  return was_disabled ? EXIT_SUCCESS : EXIT_FAILURE;
}

CLI::App* add_verb(CLI::App& app, const char* name, const char* description, Wanted& wanted) {
  CLI::App* verb = app.add_subcommand(name, description);
  verb->footer(kFooter);
  CLI::Option* profile = verb->add_option("PROFILE", wanted.profile, "The name of a profile");
  verb->add_flag("--all", wanted.all, "Every profile")->excludes(profile);
  return verb;
}

}  // namespace

void add_disable(CLI::App& app, int& status) {
  auto wanted = std::make_shared<Wanted>();
  CLI::App* verb = add_verb(app, "disable", "Refuse new runs of a profile, or of all", *wanted);
  add_reason(*verb, wanted->reason, "Shown to who wants to run it");
  verb->add_flag("--kill", wanted->kill, "End its live jails, too");
  verb->callback([wanted, verb, &status] {
    wanted->is_named = verb->count("PROFILE") != 0;
    status = disable_verb(*wanted);
  });
}

void add_enable(CLI::App& app, int& status) {
  auto wanted = std::make_shared<Wanted>();
  CLI::App* verb = add_verb(app, "enable", "Let what was disabled run again", *wanted);
  verb->callback([wanted, &status] {
    if (wanted->profile.empty() && !wanted->all) throw CLI::ValidationError("PROFILE, or --all, is required");
    status = enable_verb(*wanted);
  });
}

}  // namespace jail::cli
