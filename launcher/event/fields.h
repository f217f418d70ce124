// The members of one record on their way into JSON: redacted first, then bounded, then escaped. Three sorts of string:
// a word is ours and short; a text is somebody's bytes; empty texts are left out.
#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "event/event.h"
#include "event/redact.h"

namespace jail::event {

// How much of a text (bytes of JSON) and of a list a record keeps.
struct Limits {
  std::size_t text = 4096;
  std::size_t items = 256;
};

class Fields {
 public:
  Fields(json::Writer& writer, const Redactor& redactor, Limits limits)
      : writer_(writer), redactor_(redactor), limits_(limits) {}

  void word(std::string_view name, std::string_view word) {
    writer_.key(name);
    note(name, writer_.value(word, kLongestWord));
  }
  template <std::integral Number>
  void number(std::string_view name, Number number) {
    writer_.member(name, number);
  }
  template <std::integral Number>
  void number(std::string_view name, const std::optional<Number>& number) {
    if (number) writer_.member(name, *number);
  }
  // Present where it is so, absent else.
  void flag(std::string_view name, bool set) {
    if (set) writer_.member(name, true);
  }
  void text(std::string_view name, std::string_view bytes);
  void texts(std::string_view name, const std::vector<std::string>& list);
  template <typename List>
  void numbers(std::string_view name, const List& list) {
    items(name, list, [&](std::integral auto number) { writer_.value(number); });
  }
  void counts(std::string_view name, const Counts& counts);

  // An array of objects; `each` writes the members of one.
  template <typename Item, typename Each>
  void objects(std::string_view name, const std::vector<Item>& list, const Each& each) {
    items(name, list, [&](const Item& item) {
      writer_.begin_object();
      each(item);
      writer_.end_object();
    });
  }
  template <typename Each>
  void object(std::string_view name, const Each& each) {
    writer_.key(name);
    writer_.begin_object();
    each();
    writer_.end_object();
  }

  // There was more of it than the event has.
  void cut(std::string_view name) { note(name, json::Fit::Cut); }
  [[nodiscard]] const std::vector<std::string_view>& truncated() const noexcept { return truncated_; }

 private:
  static constexpr std::size_t kLongestWord = 64;  // a SHA-256 in hexadecimal; a profile's name has 63

  template <typename List, typename Each>
  void items(std::string_view name, const List& list, const Each& each) {
    writer_.key(name);
    writer_.begin_array();
    const std::size_t kept = std::min(list.size(), limits_.items);
    for (std::size_t index = 0; index < kept; ++index) each(list[index]);
    writer_.end_array();
    if (kept < list.size()) note(name, json::Fit::Cut);
  }
  json::Fit bounded(std::string_view bytes);
  void note(std::string_view name, json::Fit fit);

  json::Writer& writer_;
  const Redactor& redactor_;
  Limits limits_;
  std::vector<std::string_view> truncated_;  // names: string literals
};

}  // namespace jail::event
