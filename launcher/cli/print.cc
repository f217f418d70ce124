#include "cli/print.h"

#include "base/json.h"
#include "base/text.h"

namespace jail::cli {
namespace {

using Severity = profile::Diagnostic::Severity;

void print_one(std::FILE* to, const profile::Place& place, const char* severity, const std::string& message,
               const std::string& hint) {
  std::fprintf(to, "%s: %s: %s\n", text::for_people(profile::to_string(place)).c_str(), severity,
               text::for_people(message).c_str());
  if (!hint.empty()) std::fprintf(to, "  hint: %s\n", text::for_people(hint).c_str());
}

void print_all(std::FILE* to, const profile::Diagnostics& diagnostics, Severity severity, const char* name) {
  for (const profile::Diagnostic& diagnostic : diagnostics)
    if (diagnostic.severity == severity) print_one(to, diagnostic.place, name, diagnostic.message, diagnostic.hint);
}

}  // namespace

void print_errors(std::FILE* to, const profile::Diagnostics& diagnostics) {
  print_all(to, diagnostics, Severity::Error, "error");
}

void print(std::FILE* to, const profile::Diagnostics& diagnostics) {
  print_errors(to, diagnostics);
  print_all(to, diagnostics, Severity::Warning, "warning");
}

void print(std::FILE* to, const run::Refusal& refusal) {
  if (refusal.place) {
    print_one(to, *refusal.place, "error", refusal.layer + ": " + refusal.reason, refusal.hint);
    return;
  }
  std::fprintf(to, "jail: %s: %s\n", refusal.layer.c_str(), text::for_people(refusal.reason).c_str());
  if (!refusal.hint.empty()) std::fprintf(to, "  hint: %s\n", text::for_people(refusal.hint).c_str());
}

std::string as_json(const profile::Diagnostics& diagnostics) {
  json::Writer writer;
  writer.begin_object();
  writer.key("diagnostics");
  writer.begin_array();
  for (const profile::Diagnostic& diagnostic : diagnostics) {
    writer.begin_object();
    writer.member("severity", diagnostic.severity == Severity::Error ? "error" : "warning");
    writer.member("file", diagnostic.place.file);
    writer.member("line", diagnostic.place.line);
    writer.member("column", diagnostic.place.column);
    writer.member("message", diagnostic.message);
    if (!diagnostic.hint.empty()) writer.member("hint", diagnostic.hint);
    writer.end_object();
  }
  writer.end_array();
  writer.end_object();
  return writer.text();
}

}  // namespace jail::cli
