#include "confine/environment.h"

#include <fnmatch.h>

#include <algorithm>
#include <array>
#include <map>

namespace jail::confine::environment {
namespace {

constexpr std::array<std::string_view, 30> kRunsCode{
    "BASH_ENV",       "ENV",           "PROMPT_COMMAND", "PS4",           "SHELLOPTS",     "BASHOPTS",
    "PYTHONSTARTUP",  "PYTHONPATH",    "PYTHONHOME",     "PYTHONINSPECT", "PYTHONUSERBASE", "PYTHONBREAKPOINT",
    "NODE_OPTIONS",   "NODE_PATH",     "PERL5OPT",       "PERL5LIB",      "PERL5DB",       "PERLLIB",
    "RUBYOPT",        "RUBYLIB",       "JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "CLASSPATH",  "GCONV_PATH",
    "LOCPATH",        "NLSPATH",       "TERMINFO",       "HOSTALIASES",   "OPENSSL_CONF",  "IFS"};

bool is_pattern(const std::string& text) { return text.find_first_of("*?[") != std::string::npos; }

bool matches(const profile::EnvName& wanted, const std::string& name) {
  if (!is_pattern(wanted.pattern)) return wanted.pattern == name;
  return !runs_code(name) && ::fnmatch(wanted.pattern.c_str(), name.c_str(), 0) == 0;
}

bool any_matches(const std::vector<profile::EnvName>& wanted, const std::string& name) {
  return std::any_of(wanted.begin(), wanted.end(), [&](const auto& entry) { return matches(entry, name); });
}

}  // namespace

bool runs_code(std::string_view name) {
  return name.starts_with("LD_") || name.starts_with("DYLD_") || name.starts_with("BASH_FUNC_") ||
         name.starts_with("GLIBC_") || std::find(kRunsCode.begin(), kRunsCode.end(), name) != kRunsCode.end();
}

Plan plan(const profile::Environment& wanted, const std::vector<std::string>& caller) {
  Plan plan;
  std::map<std::string, std::string> chosen;
  for (const std::string& variable : caller) {
    const std::size_t equals = variable.find('=');
    if (equals == std::string::npos || equals == 0) continue;
    const std::string name = variable.substr(0, equals);
    const bool secret = any_matches(wanted.secret, name);
    if (!secret && !any_matches(wanted.allow, name)) continue;
    chosen[name] = variable.substr(equals + 1);
    if (secret) plan.secrets.push_back(chosen[name]);
  }
  for (const profile::EnvValue& value : wanted.set) chosen[value.name] = value.value;
  for (const auto& [name, value] : chosen) plan.variables.push_back(name + "=" + value);
  return plan;
}

}  // namespace jail::confine::environment
