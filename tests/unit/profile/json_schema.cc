#include "json_schema.h"

#include <cstdlib>
#include <functional>
#include <map>
#include <regex>

namespace jail::test {
namespace {

using profile::find;
using profile::KeyAndValue;
using profile::Node;
using profile::NodeKind;
using profile::pairs_of;

struct Place {
  const Node& schema;  // the object the keyword stands in
  const Node& value;   // of the keyword
  const Node& instance;
  const Node& whole;
};

bool matches(std::string_view text, const char* pattern) {
  return std::regex_search(std::string(text), std::regex(pattern, std::regex::ECMAScript));
}

std::string type_of(const Node& node) {
  switch (node.kind) {
    case NodeKind::Null: return "null";
    case NodeKind::Quoted: return "string";
    case NodeKind::Sequence: return "array";
    case NodeKind::Mapping: return "object";
    case NodeKind::Plain: break;
  }
  if (node.text == "true" || node.text == "false") return "boolean";
  if (matches(node.text, "^-?(0|[1-9][0-9]*)$")) return "integer";
  return matches(node.text, "^-?[0-9]+(\\.[0-9]+)?([eE][-+]?[0-9]+)?$") ? "number" : "string";
}

bool is_number(const Node& node) { return type_of(node) == "integer" || type_of(node) == "number"; }
double number(const Node& node) { return std::strtod(std::string(node.text).c_str(), nullptr); }
bool is_string(const Node& node) { return type_of(node) == "string"; }

std::string fault(bool is_good, const std::string& why) { return is_good ? "" : why; }

std::string check_type(const Place& at) {
  const std::string type = type_of(at.instance);
  const bool is_good = type == at.value.text || (at.value.text == "number" && type == "integer");
  return fault(is_good, type + " instead of " + std::string(at.value.text));
}

bool is_same(const Node& a, const Node& b) { return type_of(a) == type_of(b) && a.text == b.text; }

std::string check_enum(const Place& at) {
  for (const Node& allowed : profile::Children(at.value))
    if (is_same(allowed, at.instance)) return "";
  return "'" + std::string(at.instance.text) + "' is none of the enum";
}

std::string check_const(const Place& at) { return fault(is_same(at.value, at.instance), "not the constant"); }

std::string check_pattern(const Place& at) {
  if (!is_string(at.instance)) return "";
  return fault(matches(at.instance.text, std::string(at.value.text).c_str()),
               "'" + std::string(at.instance.text) + "' does not match " + std::string(at.value.text));
}

std::string check_minimum(const Place& at) {
  return fault(!is_number(at.instance) || number(at.instance) >= number(at.value), "below the minimum");
}
std::string check_maximum(const Place& at) {
  return fault(!is_number(at.instance) || number(at.instance) <= number(at.value), "above the maximum");
}
std::string check_min_length(const Place& at) {
  return fault(!is_string(at.instance) || static_cast<double>(at.instance.text.size()) >= number(at.value),
               "too short");
}

std::string check_items(const Place& at) {
  if (at.instance.kind != NodeKind::Sequence) return "";
  for (const Node& item : profile::Children(at.instance))
    if (const std::string why = misfit(at.value, item, at.whole); !why.empty()) return "item: " + why;
  return "";
}

std::string check_max_items(const Place& at) {
  if (at.instance.kind != NodeKind::Sequence) return "";
  double size = 0;
  for (const Node& item : profile::Children(at.instance)) size += item.line > 0 ? 1 : 0;
  return fault(size <= number(at.value), "too many items");
}

std::string check_required(const Place& at) {
  for (const Node& name : profile::Children(at.value))
    if (find(at.instance, name.text) == nullptr) return "without '" + std::string(name.text) + "'";
  return "";
}

std::string check_properties(const Place& at) {
  for (const auto& [key, value] : pairs_of(at.instance))
    if (const Node* schema = find(at.value, key.text))
      if (const std::string why = misfit(*schema, value, at.whole); !why.empty())
        return std::string(key.text) + ": " + why;
  return "";
}

// Those that "properties" does not name.
std::string check_additional(const Place& at) {
  const Node* named = find(at.schema, "properties");
  for (const auto& [key, value] : pairs_of(at.instance)) {
    if (named != nullptr && find(*named, key.text) != nullptr) continue;
    if (at.value.text == "false") return "unknown '" + std::string(key.text) + "'";
    if (const std::string why = misfit(at.value, value, at.whole); !why.empty())
      return std::string(key.text) + ": " + why;
  }
  return "";
}

std::string check_names(const Place& at) {
  const Node* pattern = find(at.value, "pattern");
  for (const auto& [key, value] : pairs_of(at.instance))
    if (!matches(key.text, std::string(pattern->text).c_str())) return "name '" + std::string(key.text) + "'";
  return "";
}

std::string check_any_of(const Place& at) {
  std::string why;
  for (const Node& schema : profile::Children(at.value)) {
    const std::string one = misfit(schema, at.instance, at.whole);
    if (one.empty()) return "";
    why += (why.empty() ? "" : "; ") + one;
  }
  return why;
}

std::string check_ref(const Place& at) {
  const std::string_view name = at.value.text.substr(std::string_view("#/$defs/").size());
  const Node* schema = find(*find(at.whole, "$defs"), name);
  return schema == nullptr ? "no definition '" + std::string(name) + "'" : misfit(*schema, at.instance, at.whole);
}

std::string ignore(const Place&) { return ""; }

const std::map<std::string_view, std::function<std::string(const Place&)>> kKeywords{
    {"type", check_type},
    {"enum", check_enum},
    {"const", check_const},
    {"pattern", check_pattern},
    {"minimum", check_minimum},
    {"maximum", check_maximum},
    {"minLength", check_min_length},
    {"items", check_items},
    {"maxItems", check_max_items},
    {"required", check_required},
    {"properties", check_properties},
    {"additionalProperties", check_additional},
    {"propertyNames", check_names},
    {"anyOf", check_any_of},
    {"$ref", check_ref},
    {"$schema", ignore},
    {"$id", ignore},
    {"$defs", ignore},
    {"title", ignore},
    {"description", ignore},
    {"default", ignore},
    {"examples", ignore}};

}  // namespace

std::string misfit(const Node& schema, const Node& instance, const Node& whole_schema) {
  for (const auto& [keyword, value] : pairs_of(schema)) {
    const auto known = kKeywords.find(keyword.text);
    if (known == kKeywords.end()) return "the test knows no keyword '" + std::string(keyword.text) + "'";
    if (const std::string why = known->second({schema, value, instance, whole_schema}); !why.empty()) return why;
  }
  return "";
}

}  // namespace jail::test
