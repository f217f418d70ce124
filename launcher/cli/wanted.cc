#include "cli/wanted.h"

namespace jail::cli {
namespace {

std::string check_assignment(const std::string& text) {
  return text.find('=') == std::string::npos || text.front() == '=' ? "'" + text + "' is not name=value" : "";
}

}  // namespace

void add_wanted(CLI::App& verb, WantedOptions& options, ProfileIs profile) {
  CLI::Option* name = verb.add_option("profile", options.profile, "Profile: a name, or a path with a slash");
  if (profile == ProfileIs::Required) name->required();
  verb.add_option("--set", options.set, "Value of a variable of the profile: name=value")
      ->take_all()
      ->allow_extra_args(false)
      ->check(CLI::Validator(check_assignment, "name=value"));
  verb.add_flag("--best-effort", options.best_effort, "Let every layer be absent that may be; the log says which were");
  verb.add_option("--broker", options.broker, "Socket of jaild, which is asked for eBPF where jail has no privilege")
      ->capture_default_str();
}

run::Wanted wanted_of(const WantedOptions& options) {
  run::Wanted wanted;
  wanted.profile = options.profile;
  for (const std::string& text : options.set) {
    const std::size_t equals = text.find('=');
    if (!wanted.set.try_emplace(text.substr(0, equals), text.substr(equals + 1)).second)
      throw CLI::ValidationError("--set", "'" + text.substr(0, equals) + "' is given twice");
  }
  wanted.command = options.command;
  wanted.broker = options.broker;
  wanted.strictness = options.best_effort ? run::Strictness::BestEffort : run::Strictness::Required;
  return wanted;
}

}  // namespace jail::cli
