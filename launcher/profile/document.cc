#include "profile/document.h"

namespace jail::profile {

std::vector<KeyAndValue> pairs_of(const Node& mapping) {
  std::vector<KeyAndValue> pairs;
  if (mapping.kind != NodeKind::Mapping) return pairs;
  const Node* key = nullptr;
  for (const Node& child : Children(mapping)) {
    if (key == nullptr) {
      key = &child;
    } else {
      pairs.push_back({*key, child});
      key = nullptr;
    }
  }
  return pairs;
}

const Node* find(const Node& mapping, std::string_view key) {
  for (const KeyAndValue& pair : pairs_of(mapping))
    if (pair.key.text == key) return &pair.value;
  return nullptr;
}

}  // namespace jail::profile
