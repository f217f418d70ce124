// From a profile's name to a plan: what `run`, `check`, `show` and `doctor` have in common.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "event/redact.h"
#include "profile/diagnostic.h"
#include "profile/facts.h"
#include "profile/profile.h"
#include "run/places.h"
#include "run/plan.h"
#include "run/trace_access.h"

namespace jail::run {

// What the supervisor alone may write: "the audit log".
struct OwnFile {
  std::string what;
  std::string path;
};

// --monitor: for this run, whatever the profile says.
struct MonitorWanted {
  std::optional<profile::MonitorSource> source;
  std::optional<profile::MonitorFiles> files;
};

struct Wanted {
  std::string profile;                     // a name or a path
  MonitorWanted monitor;
  std::map<std::string, std::string> set;  // --set
  std::vector<std::string> command;        // may be empty where nothing is run
  Strictness strictness = Strictness::Required;
  std::vector<OwnFile> own_files;  // no write grant may reach them
  std::string broker = broker::kSocket;    // where jaild is asked
};

struct Prepared {
  Places places;
  std::string path;  // of the profile; empty: none was found
  profile::Profile profile;
  profile::Diagnostics diagnostics;
  profile::Facts facts;
  event::Redactor redactor;  // of the secrets this profile passes on; the diagnostics have been through it
};

// Reads, merges, resolves, validates. Looks at the profile's own files and at no kernel feature. ${state} comes to be
// with the first run: what is granted there may be left missing, foreseen as the folder it will be, or made.
enum class State { Leave, Foresee, Make };
Prepared prepare(const Wanted& wanted, State state);

// By `jail disable`, whatever is right or wrong with the profile: why nobody may run it for now.
std::optional<Refusal> disabled(const Prepared& prepared);

// Only for a profile without errors.
Plan plan_for(const Prepared& prepared, const Wanted& wanted);
// The same for a run, which has its control group: keeps what it had to load, or whom it asked.
Plan plan_for(const Prepared& prepared, const Wanted& wanted, const sys::delegation::Support& group,
              TraceAccess& access);

// What a run would be refused for on every kernel, as warnings: keys whose mechanism this version lacks, and what this
// launcher may not do. No kernel feature is looked at. Only for a profile without errors.
profile::Diagnostics refused_everywhere(const Prepared& prepared, const Wanted& wanted);

// Warnings that matter at every run: secrets that are set and too short to be looked for in a log
// (event::Redactor::kShortest), and a profile that was asked for by another name than its own.
profile::Diagnostics remarks(const Prepared& prepared, const Wanted& wanted);

// Patterns of monitor.hash that match no file now, as warnings. Only for a profile without errors.
profile::Diagnostics unmatched_patterns(const Prepared& prepared);

// SHA-256 over the digests of every file that had a part in the profile.
std::string digest_of(const profile::Profile& profile);

}  // namespace jail::run
