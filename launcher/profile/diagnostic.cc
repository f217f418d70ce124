#include "profile/diagnostic.h"

#include <algorithm>

#include "base/text.h"

namespace jail::profile {
namespace {

std::string_view name_of(Diagnostic::Severity severity) {
  return severity == Diagnostic::Severity::Error ? "error" : "warning";
}

}  // namespace

std::string to_string(const Place& place) {
  std::string text = text::for_people(place.file);  // whoever wrote `extends` chose the name
  if (place.line == 0) return text;
  text += ':' + std::to_string(place.line);
  if (place.column != 0) text += ':' + std::to_string(place.column);
  return text;
}

std::string line_of(const Place& place) { return to_string(Place{place.file, place.line, 0}); }

std::string to_string(const Diagnostic& diagnostic) {
  std::string text = to_string(diagnostic.place);
  if (!text.empty()) text += ": ";
  text.append(name_of(diagnostic.severity)).append(": ").append(diagnostic.message);
  if (!diagnostic.hint.empty()) text += "\n  hint: " + diagnostic.hint;
  return text;
}

std::string to_text(const Diagnostics& diagnostics) {
  std::string text;
  for (const auto severity : {Diagnostic::Severity::Error, Diagnostic::Severity::Warning})
    for (const Diagnostic& diagnostic : diagnostics)
      if (diagnostic.severity == severity) text += to_string(diagnostic) + '\n';
  return text;
}

bool has_errors(const Diagnostics& diagnostics) {
  return std::ranges::any_of(diagnostics,
                             [](const Diagnostic& one) { return one.severity == Diagnostic::Severity::Error; });
}

}  // namespace jail::profile
