#include "profile/bytes.h"

#include "base/text.h"

namespace jail::profile {
namespace {

struct Fault {
  std::string_view message;  // empty: none
  std::string_view hint;
};

// Why this character may not stand in the text.
Fault fault_at(std::string_view rest, text::Character next) {
  if (!next.valid) return {"not UTF-8 text", {}};
  if (next.point == 0) return {"a zero byte: this is no text file", {}};
  if (next.point == '\n' || next.point == '\t') return {};
  if (next.point == '\r' && rest.substr(1, 1) == "\n") return {};
  if (next.point == '\r') return {"a carriage return without a line feed", "end lines with a line feed"};
  if (next.point == 0xfeff) return {"a byte order mark", "save the file as UTF-8 without it"};
  if (text::is_deceptive(next.point))
    return {"an invisible character", "in double quotes it can be written as an escape, such as \"\\u200e\""};
  return {};
}

}  // namespace

void check_bytes(std::string_view text, const std::string& file, Diagnostics& diagnostics) {
  const auto report = [&](int line, int column, std::string message, std::string hint) {
    diagnostics.push_back({Diagnostic::Severity::Error, {file, line, column}, std::move(message), std::move(hint)});
  };
  if (text.empty()) return report(0, 0, "the file is empty", "a profile begins with 'version: 1'");
  if (text.size() > kMostBytesOfText) return report(0, 0, "the file is larger than 1 MiB", "");
  int line = 1;
  std::size_t line_start = 0;
  for (std::size_t at = 0; at < text.size();) {
    const unsigned char byte = static_cast<unsigned char>(text[at]);
    if (byte >= 0x20 && byte < 0x7f) {
      ++at;
      continue;
    }
    const text::Character next = text::first_character(text.substr(at));
    if (const Fault fault = fault_at(text.substr(at), next); !fault.message.empty())
      return report(line, static_cast<int>(at - line_start) + 1, std::string(fault.message), std::string(fault.hint));
    at += next.size;
    if (next.point != '\n') continue;
    ++line;
    line_start = at;
  }
}

}  // namespace jail::profile
