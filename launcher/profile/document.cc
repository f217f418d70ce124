#include "profile/document.h"

namespace jail::profile {

std::vector<KeyAndValue> pairs_of(const Node& mapping) {
  std::vector<KeyAndValue> pairs;
  if (mapping.kind != NodeKind::Mapping) return pairs;
  const Children children(mapping);
  for (auto child = children.begin(); child != children.end(); ++child) {
    const Node& key = *child;
    pairs.push_back({key, *++child});
  }
  return pairs;
}

const Node* find(const Node& mapping, std::string_view key) {
  if (mapping.kind != NodeKind::Mapping) return nullptr;
  const Children children(mapping);
  for (auto child = children.begin(); child != children.end(); ++child) {
    const bool is_wanted = (*child).text == key;
    ++child;
    if (is_wanted) return &*child;
  }
  return nullptr;
}

}  // namespace jail::profile
