#include "cli/wanted.h"

#include <algorithm>
#include <optional>

#include "profile/choices.h"

namespace jail::cli {
namespace {

std::string check_assignment(const std::string& text) {
  return text.find('=') == std::string::npos || text.front() == '=' ? "'" + text + "' is not name=value" : "";
}

// "none" is a source: to leave files alone, a profile has to say so.
std::optional<profile::MonitorFiles> files_of(std::string_view word) {
  const auto* found = std::ranges::find(profile::kMonitorFiles, word, [](const auto& choice) { return choice.name; });
  if (found == profile::kMonitorFiles.end() || word == "none") return std::nullopt;
  return found->value;
}

std::optional<profile::MonitorSource> source_of(std::string_view word) {
  const auto* found = std::ranges::find(profile::kMonitorSources, word, [](const auto& choice) { return choice.name; });
  return found == profile::kMonitorSources.end() ? std::nullopt : std::optional(found->value);
}

std::string check_monitor_word(const std::string& text) {
  return files_of(text) || source_of(text) ? "" : "'" + text + "' is none of auto notify ebpf none, denied changes all";
}

run::MonitorWanted monitor_of(const std::vector<std::string>& words) {
  run::MonitorWanted wanted;
  for (const std::string& word : words) {
    if ((files_of(word) && wanted.files) || (source_of(word) && wanted.source))
      throw CLI::ValidationError("--monitor", "'" + word + "' is the second of its kind");
    if (const auto files = files_of(word)) wanted.files = files;
    else wanted.source = source_of(word);
  }
  return wanted;
}

}  // namespace

void add_wanted(CLI::App& verb, WantedOptions& options, ProfileIs profile) {
  CLI::Option* name = verb.add_option("profile", options.profile, "Profile: a name, or a path with a slash");
  if (profile == ProfileIs::Required) name->required();
  verb.add_option("--set", options.set, "Value of a variable of the profile: name=value")
      ->take_all()
      ->allow_extra_args(false)
      ->check(CLI::Validator(check_assignment, "name=value"));
  verb.add_option("--monitor", options.monitor,
                  "Instead of the profile's monitor.source and monitor.files: one word of auto, notify, ebpf, none, or "
                  "of denied, changes, all, or both: ebpf,all")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->check(CLI::Validator(check_monitor_word, "WHAT"));
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
  wanted.monitor = monitor_of(options.monitor);
  wanted.command = options.command;
  wanted.broker = options.broker;
  wanted.strictness = options.best_effort ? run::Strictness::BestEffort : run::Strictness::Required;
  return wanted;
}

}  // namespace jail::cli
