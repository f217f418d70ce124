#include "profile/variables.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <optional>

#include "base/text.h"
#include "profile/paths.h"
#include "profile/quoted.h"
#include "profile/suggest.h"

namespace jail::profile {
namespace {

constexpr int kDeepestDefault = 10;  // a default may use other variables, and so on
constexpr int kMostSubstitutions = 1000;
constexpr std::size_t kLongestText = 131'072;  // what the kernel takes as one environment string (execve(2))
constexpr std::string_view kGlobCharacters = "*?[]\\";

bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

// The byte of "\xff" in front of a text; never the zero byte, which no path holds.
std::optional<char> escaped_byte(std::string_view text) {
  if (text.size() < 4 || text[1] != 'x') return std::nullopt;
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data() + 2, text.data() + 4, value, 16);
  if (error != std::errc() || end != text.data() + 4 || value == 0) return std::nullopt;
  return static_cast<char>(value);
}

std::string byte_escape(char byte) {
  std::array<char, 8> buffer{};
  std::snprintf(buffer.data(), buffer.size(), "\\x%02x", static_cast<unsigned>(static_cast<unsigned char>(byte)));
  return buffer.data();
}

void append_escaped(std::string& text, std::string_view value, std::string_view characters) {
  for (const char c : value) {
    if (characters.find(c) != std::string_view::npos) text.push_back('\\');
    text.push_back(c);
  }
}

}  // namespace

// One walk over a text; what it writes goes to `result`.
struct Variables::Scan {
  Flavour flavour;
  int& substitutions;  // so far, of the whole text: a bound on defaults that use each other many times over
  Expanded result{};

  [[nodiscard]] bool failed() const { return !result.problem.empty(); }

  void fail(std::string problem, std::string hint) {
    if (!failed()) result.problem = std::move(problem), result.hint = std::move(hint);
  }

  // "${data}/etc" with nothing in `data` would be the system's.
  void put_value(std::string_view value) {
    if (flavour != Flavour::Text && value.empty()) return fail("a variable with an empty value in a path", {});
    if (flavour == Flavour::Glob) append_escaped(result.text, value, kGlobCharacters);
    else result.text += value;
    if (result.text.size() > kLongestText) fail("the text is longer than 128 KiB with its variables", {});
  }

  // One character or escape of the text itself; returns its length.
  std::size_t put_literal(std::string_view rest) {
    if (flavour == Flavour::Path && rest[0] == '\\') return put_escape(rest);
    if (flavour == Flavour::Path && (rest[0] == '*' || rest[0] == '?'))
      fail("a pattern where a path is meant",
           "grant the folder; a name that holds '*' or '?' is written with '\\' before it");
    result.text.push_back(rest[0]);
    return 1;
  }

  std::size_t put_escape(std::string_view rest) {
    if (const std::optional<char> byte = escaped_byte(rest)) {
      result.text.push_back(*byte);
      return 4;
    }
    if (rest.size() < 2 || kGlobCharacters.find(rest[1]) == std::string_view::npos)
      fail("a '\\' before nothing it could escape", "a backslash in a name is written twice");
    else result.text.push_back(rest[1]);
    return 2;
  }
};

Variables::Variables(const Inputs& inputs, std::string name) : inputs_(inputs) {
  if (!inputs.state_root.empty() && !name.empty()) state_ = joined(inputs.state_root, name);
}

void Variables::set_default(const std::string& name, std::string text, std::string folder) {
  defaults_[name] = {std::move(text), std::move(folder)};
}

std::vector<std::string_view> Variables::declared() const {
  std::vector<std::string_view> names;
  for (const auto& [name, text] : defaults_) names.push_back(name);
  return names;
}

Expanded Variables::expand(std::string_view text, Flavour flavour, const std::string& folder) const {
  int substitutions = 0;
  Scan run{flavour, substitutions};
  run.result.begins_with_variable = text.starts_with("${");
  scan(run, text, folder, 0);
  return std::move(run.result);
}

void Variables::scan(Scan& scan, std::string_view text, const std::string& folder, int depth) const {
  if (scan.flavour != Flavour::Text && text.starts_with('~')) {
    if (text.size() > 1 && text[1] != '/') return scan.fail("'~' of another user", "write the path out");
    substitute(scan, "home", folder, depth);
    text.remove_prefix(1);
  }
  while (!text.empty() && !scan.failed()) {
    if (text.starts_with("$${")) {
      scan.result.text += "${";
      text.remove_prefix(3);
    } else if (text.starts_with("${")) {
      const std::size_t close = text.find('}');
      if (close == std::string_view::npos) return scan.fail("'${' without '}'", "a literal '${' is written '$${'");
      substitute(scan, text.substr(2, close - 2), folder, depth);
      text.remove_prefix(close + 1);
    } else {
      text.remove_prefix(std::min(scan.put_literal(text), text.size()));
    }
  }
}

const std::string* Variables::built_in(std::string_view name, const std::string& folder) const {
  if (name == "home") return &inputs_.home;
  if (name == "user") return &inputs_.user;
  if (name == "profile_dir") return &folder;
  return name == "state" ? &state_ : nullptr;
}

void Variables::substitute(Scan& scan, std::string_view name, const std::string& folder, int depth) const {
  if (name.starts_with("env:")) return substitute_environment(scan, name.substr(4));
  if (const std::string* value = built_in(name, folder)) {
    if (value->empty()) return scan.fail("'${" + std::string(name) + "}' has no value here", {});
    return scan.put_value(*value);
  }
  if (const auto given = inputs_.set.find(std::string(name)); given != inputs_.set.end()) {
    used_.insert(given->first);
    return scan.put_value(given->second);
  }
  const auto found = defaults_.find(name);
  if (found == defaults_.end())
    return scan.fail("unknown variable " + quoted("${" + std::string(name) + "}"), hint_for_unknown(name));
  if (++scan.substitutions > kMostSubstitutions) return scan.fail("more than 1000 variables in one text", {});
  if (depth >= kDeepestDefault) return scan.fail("the defaults of variables go round in a circle", {});
  // A default is a text of its own: it is expanded whole, then put in like any other value.
  Scan inner{scan.flavour == Flavour::Text ? Flavour::Text : Flavour::Path, scan.substitutions};
  this->scan(inner, found->second.text, found->second.folder, depth + 1);
  if (inner.failed()) {
    const std::string where = depth == 0 ? "in the default of '" + std::string(name) + "': " : "";
    return scan.fail(where + inner.result.problem, inner.result.hint);
  }
  scan.result.from_environment |= inner.result.from_environment;
  scan.put_value(inner.result.text);
}

void Variables::substitute_environment(Scan& scan, std::string_view name) const {
  if (!is_environment_name(name))
    return scan.fail("no name of an environment variable after 'env:'", "write ${env:NAME}");
  const std::optional<std::string> value = inputs_.environment ? inputs_.environment(std::string(name)) : std::nullopt;
  if (!value) return scan.fail("'" + std::string(name) + "' is not set in the environment", {});
  scan.result.from_environment = true;
  scan.put_value(*value);
}

std::string Variables::hint_for_unknown(std::string_view name) const {
  if (inputs_.environment && is_environment_name(name) && inputs_.environment(std::string(name)))
    return "a variable of the environment is written ${env:" + std::string(name) + "}";
  std::vector<std::string_view> known(kBuiltInVariables.begin(), kBuiltInVariables.end());
  for (const auto& [given, value] : inputs_.set) known.push_back(given);
  for (const auto& [declared, value] : defaults_) known.push_back(declared);
  if (const std::string_view near = nearest(name, known); !near.empty() && !name.empty())
    return "did you mean '${" + std::string(near) + "}'?";
  return is_variable_name(name) ? "give it with --set " + std::string(name) + "=VALUE" : "";
}

bool is_variable_name(std::string_view name) {
  return !name.empty() && name.size() <= 64 && is_lower(name[0]) &&
         std::ranges::all_of(name, [](char c) { return is_lower(c) || is_digit(c) || c == '_'; });
}

bool is_environment_name(std::string_view name) {
  return !name.empty() && name.size() <= 256 && !is_digit(name[0]) &&
         std::ranges::all_of(name, [](char c) { return is_lower(c) || is_upper(c) || is_digit(c) || c == '_'; });
}

std::string without_meaning(std::string_view text, Flavour flavour) {
  std::string result;
  while (!text.empty()) {
    const text::Character next = text::first_character(text);
    if (text.starts_with("${")) result.push_back('$');
    if (flavour == Flavour::Path && std::string_view("*?\\").find(text[0]) != std::string_view::npos)
      result.push_back('\\');
    if (flavour == Flavour::Path && !next.valid) result += byte_escape(text[0]);
    else result += text.substr(0, next.size);
    text.remove_prefix(next.size);
  }
  return result;
}

}  // namespace jail::profile
