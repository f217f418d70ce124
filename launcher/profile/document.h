// One YAML file as a flat tree: nodes stand in the order of the text, and each knows how many of the following ones
// are below it. No pointers and no maps: a parsed file is two allocations, and a template that was parsed at build
// time is a constant array that costs nothing to load (templates.h).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "profile/diagnostic.h"

namespace jail::profile {

enum class NodeKind : std::uint8_t { Null, Plain, Quoted, Sequence, Mapping };

struct Node {
  NodeKind kind = NodeKind::Null;
  std::uint32_t line = 0;  // both count from 1; columns count bytes
  std::uint32_t column = 0;
  std::uint32_t below = 0;  // nodes in this one's subtree, itself not counted
  std::string_view text;    // of a scalar, quotes and escapes undone

  [[nodiscard]] constexpr bool is_scalar() const { return kind == NodeKind::Plain || kind == NodeKind::Quoted; }
};

// The nodes right below a sequence, or keys and values in turn below a mapping.
class Children {
 public:
  explicit constexpr Children(const Node& parent) : first_(&parent + 1), last_(&parent + 1 + parent.below) {}

  class Iterator {
   public:
    explicit constexpr Iterator(const Node* node) : node_(node) {}
    constexpr const Node& operator*() const { return *node_; }
    constexpr Iterator& operator++() {
      node_ += 1 + node_->below;
      return *this;
    }
    constexpr bool operator==(const Iterator&) const = default;

   private:
    const Node* node_;
  };

  [[nodiscard]] constexpr Iterator begin() const { return Iterator(first_); }
  [[nodiscard]] constexpr Iterator end() const { return Iterator(last_); }

 private:
  const Node* first_;
  const Node* last_;
};

// Keys are scalars: parse() refuses any other.
struct KeyAndValue {
  const Node& key;
  const Node& value;
};

// The pairs of a mapping, in the order of the text; of anything else, none.
std::vector<KeyAndValue> pairs_of(const Node& mapping);

// The value of a mapping's key, or nullptr.
const Node* find(const Node& mapping, std::string_view key);

struct Document {
  std::string file;            // as shown in every Place
  std::string sha256;          // of the whole text
  const Node* root = nullptr;  // nullptr: the text was no YAML at all

  std::vector<Node> nodes;  // both empty for a template, whose root is a constant
  std::vector<char> text;

  Document() = default;
  Document(Document&&) = default;
  Document& operator=(Document&&) = default;
  Document(const Document&) = delete;  // root points into nodes

  [[nodiscard]] Place place(const Node& node) const {
    return {file, static_cast<int>(node.line), static_cast<int>(node.column)};
  }
};

}  // namespace jail::profile
