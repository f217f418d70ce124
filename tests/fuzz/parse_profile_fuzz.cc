// Any bytes as a profile: no crash, no exception, bounded time; places within the text; and what is taken without a
// fault comes back from its own emitted form.
#include <algorithm>
#include <cstdlib>
#include <iostream>

#include "profile/emit.h"
#include "profile/load.h"
#include "profile/validate.h"

namespace {

using namespace jail::profile;

constexpr const char* kPath = "/srv/profiles/fuzz.yaml";

Inputs inputs(const std::string& text) {
  Inputs inputs;
  inputs.read_file = [&text](const std::string& path) {
    return path == kPath ? FileText{text, {}} : FileText{{}, "no such file"};
  };
  inputs.environment = [](const std::string& name) {
    return name == "URL" ? std::optional<std::string>("https://api.example/x") : std::nullopt;
  };
  inputs.set = {{"plugin", "/srv/plugin"}, {"run", "1"}};
  inputs.home = "/home/ann";
  inputs.user = "ann";
  inputs.state_root = "/home/ann/state";
  return inputs;
}

void require(bool holds, const char* what, const std::string& text) {
  if (holds) return;
  std::cerr << "does not hold: " << what << "\n" << text << "\n";
  std::abort();
}

void check_places(const Diagnostics& diagnostics, const std::string& text) {
  const auto lines = std::count(text.begin(), text.end(), '\n') + 1;
  for (const Diagnostic& one : diagnostics) {
    require(!one.message.empty(), "a diagnostic has a message", text);
    require(one.place.file != kPath || one.place.line <= lines, "a place is in the text", text);
    require(one.place.line >= 0 && one.place.column >= 0, "a place is no negative number", text);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const Loaded loaded = load(kPath, inputs(text));
  check_places(loaded.diagnostics, text);
  (void)to_text(loaded.diagnostics);
  (void)to_text(validate(loaded.profile, Facts{}));
  if (has_errors(loaded.diagnostics)) return 0;
  const std::string once = emit(loaded.profile, {Origins::Left});
  Inputs expanded = inputs(once);
  expanded.set.clear();  // no line asks for a variable any more
  const Loaded again = load(kPath, expanded);
  require(!has_errors(again.diagnostics), "what was emitted is taken", text + "\n---\n" + to_text(again.diagnostics));
  require(emit(again.profile, {Origins::Left}) == once, "what was emitted comes back", text);
  return 0;
}
