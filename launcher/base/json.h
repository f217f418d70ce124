// JSON (RFC 8259) in both directions: a streaming writer into a string that is used again, and a bounded reader.
// Every string that the writer takes is bytes: it goes through text::escape and JSON's own escapes in one pass, so
// the output is always valid UTF-8, harmless on a terminal and holds no raw line break of any kind; reading a
// string back with Value::bytes() gives the very bytes. Nothing here throws but for memory.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace jail::json {

// Whether a string was written in full, or its tail was left out to keep a bound.
enum class Fit { Whole, Cut };

inline constexpr std::size_t kNoLimit = static_cast<std::size_t>(-1);

// The caller nests correctly (asserted in debug builds): members in objects, values in arrays, one value at the top.
class Writer {
 public:
  Writer();
  ~Writer();
  Writer(Writer&&) noexcept;
  Writer& operator=(Writer&&) noexcept;

  void begin_object();
  void end_object();
  void begin_array();
  void end_array();

  // At most `limit` bytes of JSON between the quotes; a character or escape is never cut in two.
  Fit key(std::string_view name, std::size_t limit = kNoLimit);
  Fit value(std::string_view bytes, std::size_t limit = kNoLimit);
  Fit value(const char* words) { return value(std::string_view(words)); }
  void value(std::same_as<bool> auto truth) { boolean(truth); }
  void value(std::signed_integral auto number) { integer(number); }
  void value(std::unsigned_integral auto number) requires(!std::same_as<decltype(number), bool>) { natural(number); }

  template <typename Any>
  void member(std::string_view name, const Any& any) {
    key(name);
    value(any);
  }

  // What has been written since the last clear(); clear() keeps the memory.
  [[nodiscard]] const std::string& text() const noexcept;
  void clear() noexcept;

 private:
  void boolean(bool truth);
  void integer(std::int64_t number);
  void natural(std::uint64_t number);

  struct State;
  std::unique_ptr<State> state_;
};

// A look into a Document, valid as long as it. Looking for what is not there gives an absent value, so that a chain
// of look-ups needs one test at its end.
class Value {
 public:
  Value() = default;

  [[nodiscard]] explicit operator bool() const noexcept { return node_ != nullptr; }
  [[nodiscard]] Value operator[](std::string_view name) const;
  // Of a string: the bytes it stands for; text that is not of text::escape's making stands for itself.
  [[nodiscard]] std::optional<std::string> bytes() const;
  [[nodiscard]] std::optional<std::uint64_t> natural() const;
  [[nodiscard]] std::optional<std::int64_t> integer() const;
  [[nodiscard]] std::optional<bool> boolean() const;
  [[nodiscard]] bool is_object() const;
  [[nodiscard]] std::vector<Value> items() const;                            // of an array
  [[nodiscard]] std::vector<std::pair<std::string, Value>> members() const;  // of an object, in file order

 private:
  friend class Document;
  explicit Value(const void* node) noexcept : node_(node) {}
  const void* node_ = nullptr;
};

struct Bounds {
  std::size_t bytes = 16'384;
  int depth = 16;
};

class Document {
 public:
  // Nothing for text that is not exactly one valid JSON value of valid UTF-8 within the bounds.
  static std::optional<Document> parse(std::string_view text, Bounds bounds = {});

  Document(Document&&) noexcept;
  Document& operator=(Document&&) noexcept;
  ~Document();
  [[nodiscard]] Value root() const;

 private:
  struct State;
  explicit Document(std::unique_ptr<State> state) noexcept;
  std::unique_ptr<State> state_;
};

// Valid JSON from elsewhere as equivalent JSON on one line that a terminal may be given: what text::is_deceptive names
// becomes \uXXXX.
std::string harmless(std::string_view valid_json);

}  // namespace jail::json
