#include "event/fields.h"

namespace jail::event {

json::Fit Fields::bounded(std::string_view bytes) {
  if (redactor_.finds_nothing()) return writer_.value(bytes, limits_.text);
  return writer_.value(redactor_.redact(bytes), limits_.text);
}

void Fields::note(std::string_view name, json::Fit fit) {
  if (fit == json::Fit::Cut && std::ranges::find(truncated_, name) == truncated_.end()) truncated_.push_back(name);
}

void Fields::text(std::string_view name, std::string_view bytes) {
  if (bytes.empty()) return;
  writer_.key(name);
  note(name, bounded(bytes));
}

void Fields::texts(std::string_view name, const std::vector<std::string>& list) {
  items(name, list, [&](const std::string& bytes) { note(name, bounded(bytes)); });
}

void Fields::counts(std::string_view name, const Counts& counts) {
  object(name, [&] {
    const std::size_t kept = std::min(counts.size(), limits_.items);
    for (std::size_t index = 0; index < kept; ++index) {
      note(name, writer_.key(counts[index].first, kLongestWord));
      writer_.value(counts[index].second);
    }
    if (kept < counts.size()) note(name, json::Fit::Cut);
  });
}

}  // namespace jail::event
