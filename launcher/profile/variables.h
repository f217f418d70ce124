// `${...}` in a profile: what each name stands for, and one scan over a text that puts the values in. A value is never
// scanned again, so nothing that comes from outside can bring variables, globs or `~` of its own.
//
//   ${plugin}        from --set, else from `variables:`         ${home} ${user} ${profile_dir} ${state}   built in
//   ${env:NAME}      from the environment, by this name only    $${   the two characters `${`
#pragma once

#include <array>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "profile/load.h"

namespace jail::profile {

inline constexpr std::array<std::string_view, 4> kBuiltInVariables{"home", "user", "profile_dir", "state"};

// What the text is, which says what besides variables has a meaning in it.
enum class Flavour {
  Text,  // nothing
  Path,  // `~/` in front; `\*` `\?` `\[` `\]` `\\` stand for the character, `\xff` for a byte that is no UTF-8; a bare
         // `*` or `?` is refused
  Glob,  // `~/` in front; globs stay, and those in a variable's value are escaped
};

struct Expanded {
  std::string text;
  std::string problem;  // empty when all went well; never holds a value that came from the environment
  std::string hint;
  bool from_environment = false;      // some of the text is a value of the environment: not to be shown
  bool begins_with_variable = false;  // other than `~`
};

class Variables {
 public:
  // `name`: of the profile, for ${state}; may be empty when it has none that is usable.
  Variables(const Inputs& inputs, std::string name);

  // A default of `variables:`; `folder` is that of the file it stands in. A later one wins over an earlier.
  void set_default(const std::string& name, std::string text, std::string folder);

  // `folder`: ${profile_dir}; empty for a template, which has none.
  [[nodiscard]] Expanded expand(std::string_view text, Flavour flavour, const std::string& folder) const;

  // Whether some line used it or `variables:` declares it.
  [[nodiscard]] bool knows(const std::string& name) const {
    return used_.contains(name) || defaults_.contains(name);
  }
  [[nodiscard]] std::vector<std::string_view> declared() const;

  // The whole folder of this profile's state, whether a line uses it or not.
  [[nodiscard]] const std::string& state() const { return state_; }

 private:
  struct Default {
    std::string text;
    std::string folder;
  };
  struct Scan;

  void scan(Scan& scan, std::string_view text, const std::string& folder, int depth) const;
  void substitute(Scan& scan, std::string_view name, const std::string& folder, int depth) const;
  void substitute_environment(Scan& scan, std::string_view name) const;
  [[nodiscard]] const std::string* built_in(std::string_view name, const std::string& folder) const;
  [[nodiscard]] std::string hint_for_unknown(std::string_view name) const;

  const Inputs& inputs_;
  std::string state_;
  std::map<std::string, Default, std::less<>> defaults_;
  mutable std::set<std::string, std::less<>> used_;  // of --set
};

// [a-z][a-z0-9_]*, at most 64 characters.
bool is_variable_name(std::string_view name);

// What a shell can export (POSIX, 8.1): [A-Za-z_][A-Za-z0-9_]*.
bool is_environment_name(std::string_view name);

// The text that expand() turns back into this one.
std::string without_meaning(std::string_view text, Flavour flavour);

}  // namespace jail::profile
