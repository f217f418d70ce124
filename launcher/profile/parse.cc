// The only file that knows libyaml. Its events are pulled one by one: no tree of its own, a mark on every event, and no
// alias is ever expanded. What it accepts beyond what we want (anchors, tags, ...) is refused here, event by event;
// duplicate keys once the tree stands.
#include "profile/parse.h"

#include <yaml.h>

#include <algorithm>
#include <array>

#include "base/sha256.h"
#include "profile/bytes.h"
#include "profile/duplicates.h"

namespace jail::profile {
namespace {

constexpr std::size_t kMostDiagnostics = 100;  // of one file as YAML
constexpr std::string_view kWriteOut = "write the value out where it is used";
constexpr yaml_mark_t kNowhere{0, ~std::size_t{0}, ~std::size_t{0}};  // line and column 0 to a person

class Event {
 public:
  Event() = default;
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
  ~Event() { yaml_event_delete(&event_); }

  yaml_event_t* operator->() { return &event_; }
  yaml_event_t* get() { return &event_; }

 private:
  yaml_event_t event_{};
};

class Events {
 public:
  explicit Events(std::string_view text) : is_ready_(yaml_parser_initialize(&parser_) != 0) {
    if (!is_ready_) return;
    yaml_parser_set_encoding(&parser_, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser_, reinterpret_cast<const unsigned char*>(text.data()), text.size());
  }
  Events(const Events&) = delete;
  Events& operator=(const Events&) = delete;
  ~Events() {
    if (is_ready_) yaml_parser_delete(&parser_);
  }

  // False: what is left is no YAML.
  bool next(Event& event) { return is_ready_ && yaml_parser_parse(&parser_, event.get()) != 0; }

  [[nodiscard]] std::string_view problem() const {
    return parser_.problem == nullptr ? "there is no memory for it" : parser_.problem;
  }
  [[nodiscard]] yaml_mark_t place() const {
    return parser_.error == YAML_SCANNER_ERROR || parser_.error == YAML_PARSER_ERROR ? parser_.problem_mark : kNowhere;
  }
  // Of what it was in.
  [[nodiscard]] yaml_mark_t beginning() const { return parser_.context_mark; }

 private:
  yaml_parser_t parser_{};
  bool is_ready_;
};

class TreeBuilder {
 public:
  TreeBuilder(std::string_view text, Document& document, Diagnostics& diagnostics)
      : document_(document), diagnostics_(diagnostics), lines_(1 + std::ranges::count(text, '\n')) {
    document_.nodes.reserve(text.size() / 8 + 8);
    document_.text.reserve(text.size());
  }

  // False: a bound was passed, and going on would only cost time.
  bool take(const yaml_event_t& event) {
    const yaml_mark_t& mark = event.start_mark;
    switch (event.type) {
      case YAML_DOCUMENT_START_EVENT:
        if (++documents_ > 1) stop(mark, "a second document", "one profile is one document: remove what follows '---'");
        break;
      case YAML_ALIAS_EVENT:
        stop(mark, "an alias", "write the value out; a value that begins with '*' needs quotes");
        break;
      case YAML_SCALAR_EVENT: add_scalar(event); break;
      case YAML_SEQUENCE_START_EVENT:
        refuse_names(mark, event.data.sequence_start.anchor, event.data.sequence_start.tag);
        open(NodeKind::Sequence, mark);
        break;
      case YAML_MAPPING_START_EVENT:
        refuse_names(mark, event.data.mapping_start.anchor, event.data.mapping_start.tag);
        open(NodeKind::Mapping, mark);
        break;
      case YAML_SEQUENCE_END_EVENT:
      case YAML_MAPPING_END_EVENT: close(); break;
      default: break;
    }
    return !is_stopped_;
  }

  void refuse(const yaml_mark_t& mark, std::string_view message, std::string_view hint) {
    diagnostics_.push_back({Diagnostic::Severity::Error,
                            {document_.file, line_of(mark), static_cast<int>(mark.column) + 1},
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

  // The library counts the end of the file as a line of its own.
  int line_of(const yaml_mark_t& mark) const {
    return static_cast<int>(std::min<std::ptrdiff_t>(static_cast<std::ptrdiff_t>(mark.line) + 1, lines_));
  }

  bool is_at_key() const {
    return !open_.empty() && open_.back().kind == NodeKind::Mapping && open_.back().children % 2 == 0;
  }

  void stop(const yaml_mark_t& mark, std::string_view message, std::string_view hint) {
    if (!is_stopped_) refuse(mark, message, hint);
    is_stopped_ = true;
  }

  void refuse_names(const yaml_mark_t& mark, const yaml_char_t* anchor, const yaml_char_t* tag) {
    if (anchor != nullptr) refuse(mark, "an anchor", kWriteOut);
    if (tag != nullptr) refuse(mark, "a tag", "quotes make a value a string; no other type needs saying");
  }

  void add_scalar(const yaml_event_t& event) {
    const auto& scalar = event.data.scalar;
    const std::string_view value(reinterpret_cast<const char*>(scalar.value), scalar.length);
    refuse_names(event.start_mark, scalar.anchor, scalar.tag);
    if (value.find('\0') != std::string_view::npos) refuse(event.start_mark, "a zero byte in a value", {});
    if (value == "<<" && is_at_key()) refuse(event.start_mark, "a merge key", kWriteOut);
    add(kind_of(scalar.style, value), event.start_mark, value);
  }

  // Null: the words of YAML 1.2's core schema.
  static NodeKind kind_of(yaml_scalar_style_t style, std::string_view value) {
    constexpr std::array<std::string_view, 5> kNulls{"", "~", "null", "Null", "NULL"};
    if (style != YAML_PLAIN_SCALAR_STYLE) return NodeKind::Quoted;
    return std::ranges::find(kNulls, value) == kNulls.end() ? NodeKind::Plain : NodeKind::Null;
  }

  void count_child(const yaml_mark_t& mark) {
    if (document_.nodes.size() >= kMostNodes) return stop(mark, "more than 65536 values in one file", {});
    if (open_.empty()) return;
    const std::size_t most = open_.back().kind == NodeKind::Mapping ? 2 * kMostEntries : kMostEntries;
    if (++open_.back().children > most) stop(mark, "more than 16384 entries", {});
  }

  void add(NodeKind kind, const yaml_mark_t& mark, std::string_view text) {
    if (is_at_key() && kind != NodeKind::Plain && kind != NodeKind::Quoted)
      return stop(mark, "a key that is no word", "a value that begins with '{' or '[' needs quotes");
    if (diagnostics_.size() >= kMostDiagnostics) return stop(mark, "more errors than are worth listing", {});
    count_child(mark);
    document_.nodes.push_back(
        {kind, static_cast<std::uint32_t>(line_of(mark)), static_cast<std::uint32_t>(mark.column + 1), 0, {}});
    if (kind == NodeKind::Null) text = {};
    document_.text.insert(document_.text.end(), text.begin(), text.end());
    lengths_.push_back(text.size());
  }

  void open(NodeKind kind, const yaml_mark_t& mark) {
    add(kind, mark, {});
    if (is_stopped_) return;
    open_.push_back({document_.nodes.size() - 1, kind, 0});
    if (open_.size() > kDeepest) stop(mark, "nested deeper than 32 levels", {});
  }

  void close() {
    const std::size_t node = open_.back().node;
    document_.nodes[node].below = static_cast<std::uint32_t>(document_.nodes.size() - node - 1);
    open_.pop_back();
  }

  Document& document_;
  Diagnostics& diagnostics_;
  std::ptrdiff_t lines_;
  std::vector<Open> open_;
  std::vector<std::size_t> lengths_;
  int documents_ = 0;
  bool is_stopped_ = false;
};

struct SyntaxError {
  std::string_view theirs;  // the library's words (libyaml 0.2; another release may have others)
  std::string_view message;
  std::string_view hint;
  enum class At { Problem, Beginning } at = At::Problem;
};

constexpr std::string_view kQuotes = "values that hold ${...}, [...], * or @ need quotes, such as \"${plugin}\"";
constexpr std::string_view kNotClosed = "a list that begins with '[' is not closed before this";

// The library speaks of flow mappings, block entries and tokens; a person forgot a quote or a space.
constexpr std::array kSyntaxErrors{
    SyntaxError{"did not find expected ',' or ']'", kNotClosed, kQuotes},
    SyntaxError{"did not find expected ',' or '}'", "a mapping that begins with '{' is not closed before this",
                kQuotes},
    SyntaxError{"did not find expected key", "this line belongs to no mapping above it",
                "keys of one level begin in one column"},
    SyntaxError{"did not find expected '-' indicator", "this line belongs to no list above it",
                "items of one list begin in one column"},
    SyntaxError{"mapping values are not allowed in this context", "a ':' where no value can follow",
                "indent with spaces (YAML knows no tabs), and quote texts that hold ': '"},
    SyntaxError{"block sequence entries are not allowed in this context", "a '-' where no list can begin",
                "indent with spaces: YAML knows no tabs"},
    SyntaxError{"could not find expected ':'", "a key without a ':' behind it", "write `key: value`"},
    SyntaxError{"found character that cannot start any token", "a character that YAML keeps for itself", kQuotes},
    SyntaxError{"found unexpected ':'", "a ':' before a ',' or a bracket", kQuotes},
    SyntaxError{"found unexpected end of stream", "quotes that are not closed", "", SyntaxError::At::Beginning},
    SyntaxError{"did not find expected alphabetic or numeric character", "an alias",
                "a value that begins with '*' needs quotes", SyntaxError::At::Beginning},
};
constexpr SyntaxError kTab{"", "a tab", "indent with spaces: YAML knows no tabs"};

bool is_indented_by_tab(std::string_view text, std::size_t line) {
  for (; line > 0 && !text.empty(); --line) text.remove_prefix(std::min(text.find('\n'), text.size() - 1) + 1);
  return text.substr(std::min(text.find_first_not_of(' '), text.size())).starts_with('\t');
}

SyntaxError describe(std::string_view problem, std::string_view text, std::size_t line) {
  if (is_indented_by_tab(text, line)) return kTab;
  const auto known = std::ranges::find(kSyntaxErrors, problem, &SyntaxError::theirs);
  return known != kSyntaxErrors.end() ? *known : SyntaxError{problem, problem, {}};
}

void read(std::string_view text, TreeBuilder& builder) {
  Events events(text);
  for (bool is_over = false; !is_over;) {
    Event event;
    if (!events.next(event)) {
      const SyntaxError fault = describe(events.problem(), text, events.place().line);
      const bool is_of_all = fault.at == SyntaxError::At::Beginning;
      return builder.refuse(is_of_all ? events.beginning() : events.place(),
                            "not valid YAML: " + std::string(fault.message), fault.hint);
    }
    if (!builder.take(*event.get())) return;
    is_over = event->type == YAML_STREAM_END_EVENT;
  }
  builder.finish();
}

// `%YAML 1.1` would change what plain words mean; the library would heed it.
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
    builder.refuse(kNowhere, "the file is empty", "a profile begins with 'version: 1'");
  return parsed;
}

}  // namespace jail::profile
