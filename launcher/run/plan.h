// What will happen on this kernel: one slice for each mechanism, the layers as they will hold, and what must be
// refused. Pure over profile, facts and support.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sys/delegation.h"
#include "confine/environment.h"
#include "confine/identity.h"
#include "confine/landlock.h"
#include "confine/layer.h"
#include "confine/limits.h"
#include "confine/namespaces.h"
#include "confine/seccomp.h"
#include "confine/view.h"
#include "egress/plan.h"
#include "egress/ruleset.h"
#include "monitor/connector.h"
#include "monitor/plan.h"
#include "monitor/plugin_files.h"
#include "profile/facts.h"
#include "profile/profile.h"
#include "run/stdio.h"

namespace jail::run {

// Why a run does not start.
struct Refusal {
  std::string layer;  // one of profile::kLayers, or "profile"
  std::string reason;
  std::string hint;                     // empty, or one thing the operator can do
  std::optional<profile::Place> place;  // the profile line that asks for what cannot be had
};

struct Command {
  std::vector<std::string> argv;
  std::vector<std::string> candidates;  // paths to try in this order, in the view: argv[0], or each PATH folder with it
};

// What the kernel and the machine offer.
struct Support {
  confine::landlock::Support landlock;
  monitor::Support monitor{};
  sys::delegation::Support group{};
};
Support probe();  // no control group is looked for: a run makes its own

enum class Strictness { Required, BestEffort };

struct Request {
  std::vector<std::string> argv;
  std::vector<std::string> caller_environment;
  std::vector<confine::view::MountPoint> mounts;
  std::string settings_of_names;  // the plugin's /etc/resolv.conf, where it has names
  confine::identity::Launcher launcher;
  std::optional<confine::identity::Account> account;  // of `user: NAME`
  Strictness strictness = Strictness::Required;       // --best-effort: every layer that may be absent
};

// What jail makes has the modes it says, whatever the caller's umask cuts off (umask(2)).
inline constexpr unsigned kOwnUmask = 022;

struct Plan {
  std::string profile;
  confine::identity::Plan identity;
  confine::namespaces::Plan namespaces;
  egress::Plan egress;
  std::optional<egress::Ruleset> wall;      // where that leads abroad
  std::vector<std::uint16_t> ports_abroad;  // ascending
  confine::view::Plan view;
  confine::landlock::Plan landlock;
  confine::limits::Plan limits;
  confine::environment::Plan environment;
  confine::seccomp::Plan seccomp;
  monitor::Connections connections = monitor::Connections::ByPlugin;
  monitor::Plan monitor;
  std::optional<profile::Integrity> integrity;  // its path without links
  std::vector<monitor::HashedFiles> hashed;
  Command command;
  std::vector<std::string> passed;  // --pass-fd: "7: file, read, /srv/data"
  std::optional<std::uint64_t> time_ms;
  std::uint64_t grace_ms = 0;
  unsigned umask = kOwnUmask;  // the plugin's: as the caller's was
  std::string builder_name;    // trace/landlock_domain.h; empty: the kernel's audit is not asked
  std::vector<confine::Layer> layers;
  std::vector<Refusal> refusals;
};

Plan plan(const profile::Profile& profile, const profile::Facts& facts, const Support& support, const Request& request);

// Whether the profile lets this layer be absent.
bool may_be_absent(const profile::Profile& profile, Strictness strictness, std::string_view layer);

// The plan for a person, one line a decision; the same plan gives the same text, so its digest tells plans apart. The
// command and the values of variables are not in it: both may hold secrets.
std::string describe(const Plan& plan);

}  // namespace jail::run
