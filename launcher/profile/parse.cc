// The only file that knows yaml-cpp, and the only one of the module with a `catch`. The library's event interface is
// used, not YAML::Node: one pass, no tree of shared pointers, a mark on every event, and no alias is ever expanded.
// What it accepts beyond what we want (anchors, tags, ...) is refused here, event by event; duplicate keys once the
// tree stands.
#include "profile/parse.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <array>
#include <istream>
#include <streambuf>

#include "base/sha256.h"
#include "profile/bytes.h"
#include "profile/duplicates.h"

namespace jail::profile {
namespace {

constexpr std::size_t kMostDiagnostics = 100;  // of one file as YAML
constexpr std::string_view kWriteOut = "write the value out where it is used";

// A stream over text that stays where it is: std::istringstream would copy it.
class ViewBuffer : public std::streambuf {
 public:
  explicit ViewBuffer(std::string_view text) {
    char* begin = const_cast<char*>(text.data());  // a get area is never written
    setg(begin, begin, begin + text.size());
  }
};

// Leaves the library's parser early: a bound was passed, and going on would only cost time.
struct Stop {};

class TreeBuilder : public YAML::EventHandler {
 public:
  TreeBuilder(std::string_view source, Document& document, Diagnostics& diagnostics)
      : source_(source), document_(document), diagnostics_(diagnostics) {
    document_.nodes.reserve(source.size() / 8 + 8);
    document_.text.reserve(source.size());
  }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (++documents_ > 1) stop(mark, "a second document", "one profile is one document: remove what follows '---'");
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override { add(NodeKind::Null, mark, "?", anchor, {}); }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    refuse(mark, "an alias", "write the value out; a value that begins with '*' needs quotes");
    add(NodeKind::Null, mark, "?", YAML::NullAnchor, {});
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    // "!" is what the library says both of quoted text and of the tag `!`: the text itself tells which.
    const bool is_quoted = tag == "!" && stands_on_quote(mark);
    if (value.find('\0') != std::string::npos) refuse(mark, "a zero byte in a value", {});
    if (value == "<<" && is_at_key()) refuse(mark, "a merge key", kWriteOut);
    if (is_quoted) add(NodeKind::Quoted, mark, "?", anchor, value);
    else add(NodeKind::Plain, mark, tag, anchor, value);
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(NodeKind::Sequence, mark, tag, anchor);
  }
  void OnSequenceEnd() override { close(); }

  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(NodeKind::Mapping, mark, tag, anchor);
  }
  void OnMapEnd() override { close(); }

  void refuse(const YAML::Mark& mark, std::string_view message, std::string_view hint) {
    diagnostics_.push_back({Diagnostic::Severity::Error,
                            {document_.file, mark.line + 1, mark.column + 1},
                            std::string(message),
                            std::string(hint)});
  }

  // The text has its final place only now that it no longer grows.
  void finish() {
    std::size_t at = 0;
    for (std::size_t i = 0; i < lengths_.size(); at += lengths_[i++])
      document_.nodes[i].text = {document_.text.data() + at, lengths_[i]};
    if (!document_.nodes.empty()) document_.root = document_.nodes.data();
  }

 private:
  struct Open {
    std::size_t node;
    NodeKind kind;
    std::size_t children;
  };

  bool is_at_key() const {
    return !open_.empty() && open_.back().kind == NodeKind::Mapping && open_.back().children % 2 == 0;
  }

  bool stands_on_quote(const YAML::Mark& mark) const {
    const auto at = static_cast<std::size_t>(mark.pos);
    return at < source_.size() && std::string_view("\"'|>").find(source_[at]) != std::string_view::npos;
  }

  [[noreturn]] void stop(const YAML::Mark& mark, std::string_view message, std::string_view hint) {
    refuse(mark, message, hint);
    throw Stop();
  }

  void count_child(const YAML::Mark& mark) {
    if (document_.nodes.size() >= kMostNodes) stop(mark, "more than 65536 values in one file", {});
    if (open_.empty()) return;
    const std::size_t most = open_.back().kind == NodeKind::Mapping ? 2 * kMostEntries : kMostEntries;
    if (++open_.back().children > most) stop(mark, "more than 16384 entries", {});
  }

  void add(NodeKind kind, const YAML::Mark& mark, std::string_view tag, YAML::anchor_t anchor, std::string_view text) {
    if (anchor != YAML::NullAnchor) refuse(mark, "an anchor", kWriteOut);
    if (!tag.empty() && tag != "?") refuse(mark, "a tag", "quotes make a value a string; no other type needs saying");
    if (is_at_key() && kind != NodeKind::Plain && kind != NodeKind::Quoted)
      stop(mark, "a key that is no word", "a value that begins with '{' or '[' needs quotes");
    if (diagnostics_.size() >= kMostDiagnostics) stop(mark, "more errors than are worth listing", {});
    count_child(mark);
    document_.nodes.push_back(
        {kind, static_cast<std::uint32_t>(mark.line + 1), static_cast<std::uint32_t>(mark.column + 1), 0, {}});
    document_.text.insert(document_.text.end(), text.begin(), text.end());
    lengths_.push_back(text.size());
  }

  void open(NodeKind kind, const YAML::Mark& mark, std::string_view tag, YAML::anchor_t anchor) {
    add(kind, mark, tag, anchor, {});
    open_.push_back({document_.nodes.size() - 1, kind, 0});
    if (open_.size() > kDeepest) stop(mark, "nested deeper than 32 levels", {});
  }

  void close() {
    const std::size_t node = open_.back().node;
    document_.nodes[node].below = static_cast<std::uint32_t>(document_.nodes.size() - node - 1);
    open_.pop_back();
  }

  std::string_view source_;
  Document& document_;
  Diagnostics& diagnostics_;
  std::vector<Open> open_;
  std::vector<std::size_t> lengths_;
  int documents_ = 0;
};

struct SyntaxError {
  std::string_view theirs;  // the library's words (yaml-cpp 0.7; another release may have others)
  std::string_view message;
  std::string_view hint;
};

constexpr std::string_view kQuotes = "values that hold ${...}, [...], * or @ need quotes, such as \"${plugin}\"";

// The library speaks of flow maps, block entries and reserved indicators; a person forgot a quote or a space.
constexpr std::array kSyntaxErrors{
    SyntaxError{"the referenced anchor is not defined", "an alias", "a value that begins with '*' needs quotes"},
    SyntaxError{"end of sequence flow not found", "a list that begins with '[' is not closed before this", kQuotes},
    SyntaxError{"end of map flow not found", "a mapping that begins with '{' is not closed before this", kQuotes},
    SyntaxError{"end of map not found", "this line belongs to no mapping above it",
                "keys of one level begin in one column"},
    SyntaxError{"end of sequence not found", "this line belongs to no list above it",
                "items of one list begin in one column"},
    SyntaxError{"illegal map value", "a ':' where no value can follow",
                "indent with spaces (YAML knows no tabs), and quote texts that hold ': '"},
    SyntaxError{"illegal block entry", "a '-' where no list can begin", "indent with spaces: YAML knows no tabs"},
    SyntaxError{"unknown token", "a character that YAML keeps for itself", kQuotes},
};

SyntaxError describe(const YAML::Exception& error) {
  for (const SyntaxError& known : kSyntaxErrors)
    if (error.msg == known.theirs) return known;
  return {error.msg, error.msg, {}};
}

void read(std::string_view text, TreeBuilder& builder) {
  ViewBuffer buffer(text);
  std::istream stream(&buffer);
  YAML::Parser parser(stream);
  try {
    while (parser.HandleNextDocument(builder)) {}
    builder.finish();
  } catch (const Stop&) {
    // said already
  } catch (const YAML::Exception& error) {
    const SyntaxError fault = describe(error);
    builder.refuse(error.mark, "not valid YAML: " + std::string(fault.message), fault.hint);
  } catch (const std::exception& error) {
    builder.refuse(YAML::Mark::null_mark(), std::string("not valid YAML: ") + error.what(), {});
  }
}

// `%YAML 1.1` would change what plain words mean; the library takes it without an event.
bool begins_with_directive(std::string_view text) {
  while (!text.empty() && (text[0] == '\n' || text[0] == '#' || text[0] == ' ' || text[0] == '\r'))
    text.remove_prefix(text[0] == '#' ? std::min(text.find('\n'), text.size()) : 1);
  return !text.empty() && text[0] == '%';
}

}  // namespace

Parsed parse(std::string_view text, std::string file) {
  Parsed parsed;
  parsed.document.file = std::move(file);
  parsed.document.sha256 = sha256_hex(text);
  check_bytes(text, parsed.document.file, parsed.diagnostics);
  if (!parsed.diagnostics.empty()) return parsed;
  TreeBuilder builder(text, parsed.document, parsed.diagnostics);
  if (begins_with_directive(text)) builder.refuse({}, "a directive", "remove the line that begins with '%'");
  read(text, builder);
  if (parsed.document.root != nullptr) refuse_duplicates(parsed.document, parsed.diagnostics);
  if (parsed.document.root == nullptr && parsed.diagnostics.empty())
    builder.refuse(YAML::Mark::null_mark(), "the file is empty", "a profile begins with 'version: 1'");
  return parsed;
}

}  // namespace jail::profile
