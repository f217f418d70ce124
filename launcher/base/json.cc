// RapidJSON keeps the structure (commas, nesting, numbers, the grammar of reading); strings are written here, because
// the text layer, JSON's escapes and the bound on length belong in one pass over the bytes.
#include "base/json.h"

#include <rapidjson/document.h>
#include <rapidjson/writer.h>

#include <algorithm>
#include <array>

#include "base/text.h"

namespace jail::json {
namespace {

constexpr std::string_view kDigits = "0123456789abcdef";

// Where a RapidJSON writer puts its characters: the names are its Stream concept's.
struct Output {
  using Ch = char;
  std::string text;
  void Put(char character) { text.push_back(character); }  // NOLINT(readability-identifier-naming)
  void Flush() {}                                          // NOLINT(readability-identifier-naming)
};

constexpr std::array<bool, 256> make_plain() {
  std::array<bool, 256> plain{};
  for (std::size_t byte = 0x20; byte < 0x7f; ++byte) plain[byte] = byte != '"' && byte != '\\';
  return plain;
}
constexpr std::array<bool, 256> kPlain = make_plain();

std::size_t plain_run(std::string_view bytes) {
  std::size_t size = 0;
  while (size < bytes.size() && kPlain[static_cast<unsigned char>(bytes[size])]) ++size;
  return size;
}

// The longest thing one character becomes: "\ud83d\ude00".
class Piece {
 public:
  void add(char character) { text_[size_++] = character; }
  void add(std::string_view more) {
    for (const char character : more) add(character);
  }
  void add_unit(char32_t unit) {
    add("\\u");
    for (int shift = 12; shift >= 0; shift -= 4) add(kDigits[(unit >> shift) & 0xf]);
  }
  [[nodiscard]] std::string_view view() const { return {text_.data(), size_}; }

 private:
  std::array<char, 12> text_;
  std::size_t size_ = 0;
};

void add_escaped(Piece& piece, char32_t point) {
  if (point == '\n') return piece.add("\\n");
  if (point == '\t') return piece.add("\\t");
  if (point == '\r') return piece.add("\\r");
  if (point <= 0xffff) return piece.add_unit(point);
  piece.add_unit(0xd800 + ((point - 0x10000) >> 10));
  piece.add_unit(0xdc00 + ((point - 0x10000) & 0x3ff));
}

// What stands between the quotes for one character that is not plain.
Piece piece_for(const text::Character& character, std::string_view bytes) {
  Piece piece;
  if (!character.valid) {  // the text layer's \xNN, its backslash escaped for JSON
    piece.add("\\\\x");
    piece.add(kDigits[(character.point >> 4) & 0xf]);
    piece.add(kDigits[character.point & 0xf]);
  } else if (character.point == '\\') {
    piece.add("\\\\\\\\");
  } else if (character.point == '"') {
    piece.add("\\\"");
  } else if (text::is_deceptive(character.point)) {
    add_escaped(piece, character.point);
  } else {
    piece.add(bytes.substr(0, character.size));
  }
  return piece;
}

Fit append_string(std::string& out, std::string_view bytes, std::size_t limit) {
  std::size_t room = limit;
  while (!bytes.empty()) {
    const std::size_t run = plain_run(bytes);
    const std::size_t taken = std::min(run, room);
    out.append(bytes.data(), taken);
    room -= taken;
    bytes.remove_prefix(taken);
    if (taken < run) return Fit::Cut;
    if (bytes.empty()) break;
    const text::Character character = text::first_character(bytes);
    const Piece piece = piece_for(character, bytes);
    if (piece.view().size() > room) return Fit::Cut;
    out.append(piece.view());
    room -= piece.view().size();
    bytes.remove_prefix(character.size);
  }
  return Fit::Whole;
}

class Structure : public rapidjson::Writer<Output> {
 public:
  using rapidjson::Writer<Output>::Writer;

  Fit string(std::string_view bytes, std::size_t limit) {
    Prefix(rapidjson::kStringType);
    os_->Put('"');
    const Fit fit = append_string(os_->text, bytes, limit);
    os_->Put('"');
    EndValue(true);
    return fit;
  }
};

constexpr unsigned kStrict = rapidjson::kParseValidateEncodingFlag | rapidjson::kParseIterativeFlag;

// Nesting as deep as `depth`, by the brackets outside strings. Before the parse, so that no text decides how deep the
// tree gets.
bool nests_within(std::string_view text, int depth) {
  bool quoted = false;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char character = text[at];
    if (quoted && character == '\\') ++at;
    else if (character == '"') quoted = !quoted;
    else if (!quoted && (character == '{' || character == '[') && --depth < 0) return false;
    else if (!quoted && (character == '}' || character == ']')) ++depth;
  }
  return true;
}

const rapidjson::Value& node(const void* pointer) { return *static_cast<const rapidjson::Value*>(pointer); }

std::string_view string_of(const rapidjson::Value& value) { return {value.GetString(), value.GetStringLength()}; }

std::string bytes_of(const rapidjson::Value& value) {
  return text::unescape(string_of(value)).value_or(std::string(string_of(value)));
}

}  // namespace

struct Writer::State {
  Output output;
  Structure structure{output};
};

Writer::Writer() : state_(std::make_unique<State>()) {}
Writer::~Writer() = default;
Writer::Writer(Writer&&) noexcept = default;
Writer& Writer::operator=(Writer&&) noexcept = default;

void Writer::begin_object() { state_->structure.StartObject(); }
void Writer::end_object() { state_->structure.EndObject(); }
void Writer::begin_array() { state_->structure.StartArray(); }
void Writer::end_array() { state_->structure.EndArray(); }
Fit Writer::key(std::string_view name, std::size_t limit) { return state_->structure.string(name, limit); }
Fit Writer::value(std::string_view bytes, std::size_t limit) { return state_->structure.string(bytes, limit); }
void Writer::boolean(bool truth) { state_->structure.Bool(truth); }
void Writer::integer(std::int64_t number) { state_->structure.Int64(number); }
void Writer::natural(std::uint64_t number) { state_->structure.Uint64(number); }
const std::string& Writer::text() const noexcept { return state_->output.text; }

void Writer::clear() noexcept {
  state_->output.text.clear();
  state_->structure.Reset(state_->output);
}

struct Document::State {
  rapidjson::Document document;
};

Document::Document(std::unique_ptr<State> state) noexcept : state_(std::move(state)) {}
Document::Document(Document&&) noexcept = default;
Document& Document::operator=(Document&&) noexcept = default;
Document::~Document() = default;

std::optional<Document> Document::parse(std::string_view text, Bounds bounds) {
  // RapidJSON takes a zero byte for the end of its input and would leave what follows unread.
  if (text.size() > bounds.bytes || text.find('\0') != std::string_view::npos) return std::nullopt;
  if (!nests_within(text, bounds.depth)) return std::nullopt;
  auto state = std::make_unique<State>();
  state->document.Parse<kStrict>(text.data(), text.size());
  if (state->document.HasParseError()) return std::nullopt;
  return Document(std::move(state));
}

Value Document::root() const { return Value(static_cast<const rapidjson::Value*>(&state_->document)); }

Value Value::operator[](std::string_view name) const {
  if (!is_object()) return {};
  const rapidjson::Value wanted(rapidjson::StringRef(name.data(), static_cast<rapidjson::SizeType>(name.size())));
  const auto member = node(node_).FindMember(wanted);
  return member == node(node_).MemberEnd() ? Value() : Value(&member->value);
}

std::optional<std::string> Value::bytes() const {
  if (node_ == nullptr || !node(node_).IsString()) return std::nullopt;
  return bytes_of(node(node_));
}

std::optional<std::uint64_t> Value::natural() const {
  if (node_ == nullptr || !node(node_).IsUint64()) return std::nullopt;
  return node(node_).GetUint64();
}

std::optional<std::int64_t> Value::integer() const {
  if (node_ == nullptr || !node(node_).IsInt64()) return std::nullopt;
  return node(node_).GetInt64();
}

std::optional<bool> Value::boolean() const {
  if (node_ == nullptr || !node(node_).IsBool()) return std::nullopt;
  return node(node_).GetBool();
}

bool Value::is_object() const { return node_ != nullptr && node(node_).IsObject(); }

std::vector<Value> Value::items() const {
  std::vector<Value> items;
  if (node_ == nullptr || !node(node_).IsArray()) return items;
  for (const rapidjson::Value& item : node(node_).GetArray()) items.push_back(Value(&item));
  return items;
}

std::vector<std::pair<std::string, Value>> Value::members() const {
  std::vector<std::pair<std::string, Value>> members;
  if (!is_object()) return members;
  for (const auto& member : node(node_).GetObject()) members.emplace_back(bytes_of(member.name), Value(&member.value));
  return members;
}

std::string harmless(std::string_view valid_json) {
  std::string out;
  out.reserve(valid_json.size());
  while (!valid_json.empty()) {
    const text::Character character = text::first_character(valid_json);
    Piece piece;
    if (character.valid && character.point < 0x20) piece.add(' ');  // legal between tokens only
    else if (!character.valid) piece.add_unit(0xfffd);
    else if (text::is_deceptive(character.point)) add_escaped(piece, character.point);
    else piece.add(valid_json.substr(0, character.size));
    out += piece.view();
    valid_json.remove_prefix(character.size);
  }
  return out;
}

}  // namespace jail::json
