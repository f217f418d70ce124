// One document's values into a Profile, key by key (keys.h). Documents are read in the order of merging, templates
// before what extends them: a list grows, everything else is set again, and that is all there is to merging.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>

#include "profile/choices.h"
#include "profile/document.h"
#include "profile/profile.h"
#include "profile/quantity.h"
#include "profile/variables.h"

namespace jail::profile {

// An item of a list of paths: the path alone, or a mapping with more to say.
struct PathEntry {
  std::string path;
  bool optional = false;
  bool dangerous = false;
};

// The whole profile is told apart from what it extends: only its own name and description count.
enum class Role { Profile, Extended };

class Reader {
 public:
  Reader(Profile& profile, const Variables& variables, const Document& document, Role role, Diagnostics& diagnostics);

  // Everything the document holds, and every fault in it.
  void read();

  Profile& profile() { return profile_; }
  [[nodiscard]] Role role() const { return role_; }
  [[nodiscard]] Place place(const Node& node) const { return document_.place(node); }
  void error(const Node& node, std::string message, std::string hint = {});

  // Nothing after an error has been added. `text` is for words that have no variables, `expanded` for those that do.
  std::optional<std::string> text(const Node& node);
  std::optional<Expanded> expanded(const Node& node, Flavour flavour);
  std::optional<std::string> path(const Node& node);
  std::optional<std::string> absolute(const Node& node,
                                      const Expanded& expanded);  // what path() does behind expanded()
  std::optional<std::string> home(const Node& node);              // for what is below it, asked for at this node
  std::optional<bool> flag(const Node& node);
  std::optional<PathEntry> entry(const Node& node, std::span<const std::string_view> keys);

  // The keys of a mapping by their table; `section` names it in messages, empty for the top level.
  void read_mapping(const Node& mapping, std::span<const struct Key> keys, const std::string& section);

  // A plain scalar: for numbers, whose text another reader of YAML must see as a number too.
  std::optional<std::string_view> number_text(const Node& node);

  void each(const Node& list, const std::function<void(const Node&)>& use);

  template <typename Value, std::size_t size>
  void choose(const Node& node, const std::array<Choice<Value>, size>& choices, Setting<Value>& setting) {
    const std::optional<std::size_t> index = index_of(node, names_of(choices));
    if (index) setting = {choices[*index].value, place(node)};
  }

  template <typename Value, typename Target>
  void set(const Node& node, const Quantity<Value>& quantity, Setting<Target>& setting) {
    if (!quantity.problem.empty()) return error(node, quantity.problem, quantity.hint);
    setting = {quantity.value, place(node)};
  }

 private:
  void read_key(const KeyAndValue& pair, const Key& key, const std::string& section);
  void refuse_unknown(const Node& key, std::span<const Key> keys, const std::string& section);
  std::optional<std::size_t> index_of(const Node& node, std::span<const std::string_view> names);

  Profile& profile_;
  const Variables& variables_;
  const Document& document_;
  Role role_;
  Diagnostics& diagnostics_;
  std::string folder_;  // ${profile_dir}: empty for a template
};

}  // namespace jail::profile
