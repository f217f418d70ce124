#include "profile/duplicates.h"

#include <algorithm>

#include "profile/quoted.h"

namespace jail::profile {
namespace {

// Sorted by text and, among equals, by place: what follows its equal is the duplicate. n log n, for 16384 keys.
void refuse_in(const Node& mapping, const Document& document, Diagnostics& diagnostics) {
  std::vector<const Node*> keys;
  for (const KeyAndValue& pair : pairs_of(mapping)) keys.push_back(&pair.key);
  std::ranges::sort(keys, [](const Node* a, const Node* b) { return a->text != b->text ? a->text < b->text : a < b; });
  for (std::size_t i = 1; i < keys.size(); ++i)
    if (keys[i]->text == keys[i - 1]->text)
      diagnostics.push_back({Diagnostic::Severity::Error, document.place(*keys[i]),
                             "duplicate key " + quoted(keys[i]->text),
                             "it stands in line " + std::to_string(keys[i - 1]->line) + " already"});
}

}  // namespace

void refuse_duplicates(const Document& document, Diagnostics& diagnostics) {
  for (const Node& node : document.nodes)
    if (node.kind == NodeKind::Mapping) refuse_in(node, document, diagnostics);
}

}  // namespace jail::profile
