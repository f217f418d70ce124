#include "confine/environment.h"

#include <algorithm>
#include <map>

#include "profile/environment.h"

namespace jail::confine::environment {
namespace {

bool any_passes(const std::vector<profile::EnvName>& wanted, const std::string& name) {
  return std::ranges::any_of(wanted, [&](const auto& entry) { return profile::passes(entry.pattern, name); });
}

}  // namespace

Plan plan(const profile::Environment& wanted, const std::vector<std::string>& caller) {
  Plan plan;
  std::map<std::string, std::string> chosen;
  for (const std::string& variable : caller) {
    const std::size_t equals = variable.find('=');
    if (equals == std::string::npos || equals == 0) continue;
    const std::string name = variable.substr(0, equals);
    const bool secret = any_passes(wanted.secret, name);
    if (!secret && !any_passes(wanted.allow, name)) continue;
    chosen[name] = variable.substr(equals + 1);
    if (secret) plan.secrets.push_back(chosen[name]);
  }
  for (const profile::EnvValue& value : wanted.set) chosen[value.name] = value.value;
  for (const auto& [name, value] : chosen) plan.variables.push_back(name + "=" + value);
  return plan;
}

}  // namespace jail::confine::environment
