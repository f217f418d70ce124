#include "profile/reader.h"

#include <algorithm>

#include "profile/keys.h"
#include "profile/paths.h"
#include "profile/quoted.h"
#include "profile/scalars.h"
#include "profile/suggest.h"

namespace jail::profile {
namespace {

constexpr std::size_t kLongestPath = 4095;  // PATH_MAX without its zero byte, path_resolution(7)

std::string_view name_of(NodeKind kind) {
  switch (kind) {
    case NodeKind::Null: return "an empty value";
    case NodeKind::Plain: return "a word";
    case NodeKind::Quoted: return "a text in quotes";
    case NodeKind::Sequence: return "a list";
    case NodeKind::Mapping: return "a mapping";
  }
  return {};
}

std::vector<std::string_view> names_in(std::span<const Key> keys) {
  std::vector<std::string_view> names;
  for (const Key& key : keys) names.push_back(key.name);
  return names;
}

// The section that does know this key: a wrong indentation is the commonest reason for an unknown one.
std::string_view section_with(std::string_view name) {
  for (const Key& section : profile_keys())
    for (const Key& key : section.below)
      if (key.name == name) return section.name;
  return {};
}

bool is_top_level(std::string_view name) {
  return std::ranges::any_of(profile_keys(), [&](const Key& key) { return key.name == name; });
}

std::string in_section(const std::string& section) { return section.empty() ? "" : " in '" + section + "'"; }

}  // namespace

Reader::Reader(Profile& profile, const Variables& variables, const Document& document, Role role,
               Diagnostics& diagnostics)
    : profile_(profile),
      variables_(variables),
      document_(document),
      role_(role),
      diagnostics_(diagnostics),
      folder_(document.file.starts_with('/') ? folder_of(document.file) : "") {}

void Reader::error(const Node& node, std::string message, std::string hint) {
  diagnostics_.push_back({Diagnostic::Severity::Error, place(node), std::move(message), std::move(hint)});
}

void Reader::read() {
  if (document_.root == nullptr) return;  // no YAML: said by parse()
  const Node& root = *document_.root;
  if (root.kind != NodeKind::Mapping)
    return error(root, "a profile is a mapping of keys, not " + std::string(name_of(root.kind)),
                 "it begins with 'version: 1'");
  read_mapping(root, profile_keys(), {});
}

void Reader::read_mapping(const Node& mapping, std::span<const Key> keys, const std::string& section) {
  for (const KeyAndValue& pair : pairs_of(mapping)) {
    const auto known = std::ranges::find(keys, pair.key.text, &Key::name);
    if (known == keys.end()) refuse_unknown(pair.key, keys, section);
    else read_key(pair, *known, section);
  }
}

void Reader::read_key(const KeyAndValue& pair, const Key& key, const std::string& section) {
  const std::string name = section.empty() ? std::string(key.name) : section + "." + std::string(key.name);
  if (pair.value.kind == NodeKind::Null)
    return error(pair.key, "'" + name + "' has no value", "leave the key out to have its default");
  if (key.read != nullptr) return key.read(*this, pair.value);
  if (key.shape != Shape::Section) return;  // load() has read it
  if (pair.value.kind == NodeKind::Mapping) return read_mapping(pair.value, key.below, name);
  error(pair.value, "'" + name + "' must be a mapping of keys, not " + std::string(name_of(pair.value.kind)),
        "its keys: " + hint_for("", names_in(key.below)).substr(8));
}

void Reader::refuse_unknown(const Node& key, std::span<const Key> keys, const std::string& section) {
  const std::vector<std::string_view> names = names_in(keys);
  std::string hint = hint_for(key.text, names);
  if (const std::string_view other = section_with(key.text); !other.empty())
    hint = "it belongs under '" + std::string(other) + "'";
  else if (!section.empty() && is_top_level(key.text)) hint = "it belongs to the top level";
  error(key, "unknown key " + quoted(key.text) + in_section(section), std::move(hint));
}

std::optional<std::string> Reader::text(const Node& node) {
  if (!node.is_scalar()) {
    error(node, "text expected, not " + std::string(name_of(node.kind)));
    return std::nullopt;
  }
  const std::string_view other = node.kind == NodeKind::Plain ? other_meaning(node.text) : std::string_view{};
  if (!other.empty()) {
    error(node, quoted(node.text) + " is " + std::string(other) + " in YAML where text is meant",
          "put it in quotes: \"" + std::string(node.text) + "\"");
    return std::nullopt;
  }
  return std::string(node.text);
}

std::optional<Expanded> Reader::expanded(const Node& node, Flavour flavour) {
  const std::optional<std::string> raw = text(node);
  if (!raw) return std::nullopt;
  Expanded result = variables_.expand(*raw, flavour, folder_);
  if (result.problem.empty()) return result;
  error(node, std::move(result.problem), std::move(result.hint));
  return std::nullopt;
}

// Values of the environment may be secrets: what is wrong with them is said without them.
std::optional<std::string> Reader::absolute(const Node& node, const Expanded& expanded) {
  const std::string& text = expanded.text;
  const auto shown = [&] { return quoted(expanded.from_environment ? node.text : text); };
  if (text.empty()) return error(node, "the path is empty"), std::nullopt;
  if (text.size() > kLongestPath) return error(node, "a path longer than 4095 bytes"), std::nullopt;
  if (has_parent_component(text))
    return error(node, "'..' in " + shown(), "write the path out: '..' means another folder once a link is on the way"),
           std::nullopt;
  if (text[0] == '/') return normal_path(text);
  if (expanded.begins_with_variable)
    return error(node, "the value in " + quoted(node.text) + " is no absolute path",
                 "give variables that begin a path as absolute paths"),
           std::nullopt;
  if (folder_.empty())
    return error(node, shown() + " is no absolute path", "only a profile in a file may use relative paths"),
           std::nullopt;
  return normal_path(joined(folder_, text));
}

std::optional<std::string> Reader::path(const Node& node) {
  const std::optional<Expanded> result = expanded(node, Flavour::Path);
  return result ? absolute(node, *result) : std::nullopt;
}

std::optional<std::string> Reader::home(const Node& node) {
  const Expanded home = variables_.expand("~", Flavour::Path, folder_);
  if (!home.problem.empty()) return error(node, home.problem, home.hint), std::nullopt;
  return absolute(node, home);
}

std::optional<bool> Reader::flag(const Node& node) {
  if (node.kind == NodeKind::Plain && (node.text == "true" || node.text == "false")) return node.text == "true";
  error(node, "true or false expected");
  return std::nullopt;
}

std::optional<std::string_view> Reader::number_text(const Node& node) {
  if (node.kind == NodeKind::Plain) return node.text;
  error(node, "a number expected, not " + std::string(name_of(node.kind)),
        node.kind == NodeKind::Quoted ? "leave out the quotes" : "");
  return std::nullopt;
}

void Reader::each(const Node& list, const std::function<void(const Node&)>& use) {
  if (list.kind != NodeKind::Sequence)
    return error(list, "a list expected, not " + std::string(name_of(list.kind)),
                 list.is_scalar() ? "write it as a list: [\"...\"]" : "");
  for (const Node& item : Children(list)) use(item);
}

std::optional<PathEntry> Reader::entry(const Node& node, std::span<const std::string_view> keys) {
  PathEntry entry;
  const Node* path_node = &node;
  if (node.kind == NodeKind::Mapping) {
    path_node = nullptr;
    for (const auto& [key, value] : pairs_of(node)) {
      if (std::ranges::find(keys, key.text) == keys.end())
        error(key, "unknown key " + quoted(key.text) + " in a path's entry", hint_for(key.text, keys));
      else if (key.text == "path") path_node = &value;
      else if (const std::optional<bool> set = flag(value))
        (key.text == "optional" ? entry.optional : entry.dangerous) = *set;
    }
    if (path_node == nullptr) return error(node, "an entry without its 'path'"), std::nullopt;
  }
  std::optional<std::string> where = path(*path_node);
  if (!where) return std::nullopt;
  entry.path = std::move(*where);
  return entry;
}

std::optional<std::size_t> Reader::index_of(const Node& node, std::span<const std::string_view> names) {
  if (!node.is_scalar()) return error(node, "a word expected, not " + std::string(name_of(node.kind))), std::nullopt;
  const auto found = std::ranges::find(names, node.text);
  if (found != names.end()) return static_cast<std::size_t>(found - names.begin());
  error(node, "unknown value " + quoted(node.text), hint_for(node.text, names));
  return std::nullopt;
}

}  // namespace jail::profile
