#include "profile/read_process.h"

#include <algorithm>
#include <charconv>

#include "base/sha256.h"
#include "profile/keys.h"
#include "profile/layers.h"
#include "profile/quoted.h"
#include "profile/suggest.h"

namespace jail::profile {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
bool is_letter(char c) { return is_lower(c) || (c >= 'A' && c <= 'Z'); }

// An id of one part of "uid:gid"; nothing for what is no number or above what chown(2) takes (-1 means "unchanged").
std::optional<std::uint32_t> id_of(std::string_view text) {
  std::uint32_t id = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  if (error != std::errc() || end != text.data() + text.size() || id == UINT32_MAX) return std::nullopt;
  return id;
}

// Names as useradd(8) makes them: [a-z_][a-z0-9_-]*, and the dots and capitals that directories bring.
bool is_user_name(std::string_view text) {
  const auto allowed = [](char c) { return is_letter(c) || is_digit(c) || c == '_' || c == '-' || c == '.'; };
  return !text.empty() && text.size() <= 32 && (is_letter(text[0]) || text[0] == '_') &&
         std::ranges::all_of(text, allowed);
}

// Why these ids may not be used, or nothing.
std::string_view id_problem(std::string_view text) {
  const std::size_t colon = text.find(':');
  const std::optional<std::uint32_t> uid = id_of(text.substr(0, colon));
  const std::optional<std::uint32_t> gid = colon == std::string_view::npos ? uid : id_of(text.substr(colon + 1));
  if (!uid || !gid) return "no user: keep, root, a name, UID or UID:GID";
  return *uid == 0 || *gid == 0 ? "id 0 by its number" : std::string_view{};
}

bool is_env_pattern(std::string_view text) {
  const auto allowed = [](char c) { return is_letter(c) || is_digit(c) || c == '_' || c == '*'; };
  return !text.empty() && text.size() <= 256 && !is_digit(text[0]) && std::ranges::all_of(text, allowed);
}

bool is_call_name(std::string_view text) {
  const std::string_view name = text.starts_with('@') ? text.substr(1) : text;
  const auto allowed = [](char c) { return is_lower(c) || is_digit(c) || c == '_' || c == '-'; };
  return !name.empty() && name.size() <= 64 && is_lower(name.front() == '_' ? 'a' : name.front()) &&
         std::ranges::all_of(name, allowed);
}

}  // namespace

bool is_profile_name(std::string_view name) {
  const auto is_first = [](char c) { return is_lower(c) || is_digit(c); };
  return !name.empty() && name.size() <= 63 && is_first(name[0]) &&
         std::ranges::all_of(name, [&](char c) { return is_first(c) || c == '.' || c == '_' || c == '-'; });
}

void read_version(Reader& reader, const Node& value) {
  const std::optional<std::string_view> version = reader.number_text(value);
  if (version && *version != "1")
    reader.error(value, "version " + quoted(*version) + " is not known to this jail", "write version: 1");
}

void read_name(Reader& reader, const Node& value) {
  const std::optional<std::string> name = reader.text(value);
  if (!name) return;
  if (!is_profile_name(*name))
    return reader.error(value, quoted(*name) + " is no name for a profile",
                        "lower case letters, digits, '.', '_' and '-', at most 63, the first a letter or digit");
  if (reader.role() == Role::Extended) return;
  reader.profile().name = *name;
  reader.profile().place = reader.place(value);
}

void read_description(Reader& reader, const Node& value) {
  std::optional<std::string> text = reader.text(value);
  if (text && reader.role() == Role::Profile) reader.profile().description = std::move(*text);
}

void read_user(Reader& reader, const Node& value) {
  if (!value.is_scalar()) return reader.error(value, "a user expected: keep, root, a name, UID or UID:GID");
  Setting<User>& user = reader.profile().user;
  if (value.text == "keep" || value.text == "root") {
    user = {{value.text == "keep" ? User::Kind::Keep : User::Kind::Root, {}}, reader.place(value)};
    return;
  }
  const bool is_numeric = !value.text.empty() && (is_digit(value.text[0]) || value.text[0] == ':');
  const std::string_view problem =
      is_numeric ? id_problem(value.text)
                 : (is_user_name(value.text) ? std::string_view{} : "no user: keep, root, a name, UID or UID:GID");
  if (!problem.empty())
    return reader.error(value, std::string(problem),
                        is_numeric ? "whoever means the superuser writes 'user: root'" : "");
  user = {{User::Kind::Named, std::string(value.text)}, reader.place(value)};
}

void read_env_names(Reader& reader, const Node& list, std::vector<EnvName>& names) {
  reader.each(list, [&](const Node& node) {
    std::optional<std::string> name = reader.text(node);
    if (!name) return;
    if (!is_env_pattern(*name))
      return reader.error(node, quoted(*name) + " is no name of an environment variable",
                          name->find('=') != std::string::npos ? "values are given under env.set"
                                                               : "letters, digits and '_'; '*' stands for any of them");
    names.push_back({std::move(*name), reader.place(node)});
  });
}

void read_env_values(Reader& reader, const Node& mapping) {
  if (mapping.kind != NodeKind::Mapping) return reader.error(mapping, "a mapping of names to texts expected");
  std::vector<EnvValue>& set = reader.profile().env.set;
  for (const auto& [key, value] : pairs_of(mapping)) {
    const std::optional<Expanded> text = reader.expanded(value, Flavour::Text);
    if (!is_environment_name(key.text)) {
      reader.error(key, quoted(key.text) + " is no name of an environment variable");
      continue;
    }
    if (!text) continue;
    EnvValue entry{std::string(key.text), text->text, reader.place(key)};
    const auto same = std::ranges::find(set, entry.name, &EnvValue::name);
    if (same == set.end()) set.push_back(std::move(entry));
    else *same = std::move(entry);
  }
}

void read_calls(Reader& reader, const Node& list, std::vector<SyscallName>& calls) {
  reader.each(list, [&](const Node& node) {
    std::optional<std::string> name = reader.text(node);
    if (!name) return;
    if (!is_call_name(*name)) return reader.error(node, quoted(*name) + " is no name of a system call or @group");
    calls.push_back({std::move(*name), reader.place(node)});
  });
}

namespace {

template <typename Pattern>
void read_patterns(Reader& reader, const Node& list, std::vector<Pattern>& patterns) {
  reader.each(list, [&](const Node& node) {
    const std::optional<Expanded> text = reader.expanded(node, Flavour::Glob);
    if (!text) return;
    const std::optional<std::string> pattern = reader.absolute(node, *text);
    if (pattern) patterns.push_back({*pattern, reader.place(node)});
  });
}

}  // namespace

void read_globs(Reader& reader, const Node& list) { read_patterns(reader, list, reader.profile().monitor.hash); }

void read_expect_absent(Reader& reader, const Node& list) {
  read_patterns(reader, list, reader.profile().monitor.expect_absent);
}

void read_integrity_path(Reader& reader, const Node& value) {
  if (std::optional<std::string> path = reader.path(value)) reader.profile().integrity->path = std::move(*path);
}

void read_integrity_digest(Reader& reader, const Node& value) {
  if (!value.is_scalar() || !is_sha256_hex(value.text))
    return reader.error(value, "no SHA-256: 64 lower case hexadecimal digits expected");
  reader.profile().integrity->sha256 = value.text;
}

void read_layers(Reader& reader, const Node& list) {
  reader.each(list, [&](const Node& node) {
    std::optional<std::string> layer = reader.text(node);
    if (!layer) return;
    if (!is_layer(*layer)) return reader.error(node, "unknown layer " + quoted(*layer), hint_for(*layer, kLayers));
    reader.profile().best_effort.push_back({std::move(*layer), reader.place(node)});
  });
}

}  // namespace jail::profile
