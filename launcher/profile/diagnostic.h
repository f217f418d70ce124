// What is wrong with a profile, where, and what to write instead. A bad document is not an exceptional event:
// `jail check` wants all its faults, not the first.
#pragma once

#include <string>
#include <vector>

namespace jail::profile {

// Lines and columns count from 1; line 0 means the file as a whole.
struct Place {
  std::string file;
  int line = 0;
  int column = 0;
  bool operator==(const Place&) const = default;
};

// "crm.yaml:12:5", without the numbers that are 0.
std::string to_string(const Place& place);
// "crm.yaml:12": the line as events name the one that decides.
std::string line_of(const Place& place);

struct Diagnostic {
  enum class Severity { Error, Warning };
  Severity severity = Severity::Error;
  Place place;
  std::string message;  // lower case, no full stop: printed after "file:line:column: error: "
  std::string hint;     // empty, or one thing the author can do
};

using Diagnostics = std::vector<Diagnostic>;

bool has_errors(const Diagnostics& diagnostics);

// "crm.yaml:12:5: error: unknown key 'reed'", and where there is a hint a second line, "  hint: did you mean 'read'?".
// Text that came from a document has its control characters escaped already.
std::string to_string(const Diagnostic& diagnostic);

// All of them, one or two lines each: the errors first, then the warnings.
std::string to_text(const Diagnostics& diagnostics);

}  // namespace jail::profile
