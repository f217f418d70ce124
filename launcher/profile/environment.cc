#include "profile/environment.h"

#include <algorithm>
#include <array>

namespace jail::profile {
namespace {

constexpr std::array<std::string_view, 47> kCodeVariables{
    // shells: bash(1), dash(1), zsh(1)
    "BASH_ENV", "ENV", "PROMPT_COMMAND", "PS0", "PS1", "PS2", "PS4", "SHELLOPTS", "BASHOPTS", "IFS", "ZDOTDIR",
    "CDPATH", "FPATH",
    // interpreters
    "PYTHONSTARTUP", "PYTHONPATH", "PYTHONHOME", "PYTHONINSPECT", "PYTHONUSERBASE", "PYTHONBREAKPOINT",
    "PYTHONEXECUTABLE", "NODE_OPTIONS", "NODE_PATH", "PERL5OPT", "PERL5LIB", "PERL5DB", "PERLLIB", "RUBYOPT", "RUBYLIB",
    "LUA_INIT", "LUA_PATH", "LUA_CPATH", "PHPRC", "PHP_INI_SCAN_DIR", "JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS",
    "_JAVA_OPTIONS", "CLASSPATH", "DOTNET_STARTUP_HOOKS",
    // libraries that load modules: ld.so(8), iconv, locale(7), openssl
    "GCONV_PATH", "LOCPATH", "NLSPATH", "TERMINFO", "TERMINFO_DIRS", "HOSTALIASES", "OPENSSL_CONF", "OPENSSL_MODULES",
    "OPENSSL_ENGINES"};

// Lua appends its version: LUA_INIT_5_4 (lua(1)).
constexpr std::array<std::string_view, 7> kPrefixes{"LD_",       "DYLD_",     "GLIBC_",    "BASH_FUNC_",
                                                    "LUA_INIT_", "LUA_PATH_", "LUA_CPATH_"};

// Only the last '*' is ever tried again, so that no pattern costs more than pattern times name.
bool is_match(std::string_view pattern, std::string_view name) {
  std::size_t p = 0;
  std::size_t n = 0;
  std::size_t star = std::string_view::npos;
  std::size_t retry = 0;
  while (n < name.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      retry = n;
    } else if (p < pattern.size() && pattern[p] == name[n]) {
      ++p;
      ++n;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      n = ++retry;
    } else {
      return false;
    }
  }
  return pattern.substr(p).find_first_not_of('*') == std::string_view::npos;
}

}  // namespace

bool runs_code(std::string_view name) {
  return std::ranges::any_of(kPrefixes, [&](std::string_view prefix) { return name.starts_with(prefix); }) ||
         std::ranges::find(kCodeVariables, name) != kCodeVariables.end();
}

std::span<const std::string_view> code_variables() { return kCodeVariables; }

bool passes(std::string_view pattern, std::string_view name) {
  if (pattern.find('*') == std::string_view::npos) return pattern == name;
  return !runs_code(name) && is_match(pattern, name);
}

}  // namespace jail::profile
