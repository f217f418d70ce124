#include "egress/heard.h"

#include <algorithm>

#include "egress/http_head.h"
#include "egress/tls_hello.h"

namespace jail::egress {
namespace {

constexpr std::size_t kLongestName = 253;  // RFC 1035, as text

bool is_of_name(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.'; }

Heard read(Octets begin) {
  if (begins_like_tls(begin)) return read_hello(begin);
  const Heard old = read_old_hello(begin);
  return old.state == Heard::State::Other ? read_head(begin) : old;
}

}  // namespace

std::string_view text_of(Fault fault) noexcept {
  switch (fault) {
    case Fault::None: return {};
    case Fault::NotPermitted: return "the name that it asks for is not permitted at this address";
    case Fault::NoName: return "it names no host (TLS without SNI, HTTP without Host)";
    case Fault::Hidden: return "its name cannot be read (encrypted hello, HTTP/2 without TLS)";
    case Fault::TwoNames: return "it names two hosts";
    case Fault::Malformed: return "it begins with malformed TLS or HTTP";
    case Fault::TooLong: return "it names no host in its first 16 KiB";
    case Fault::TooLate: return "it named no host within 10 s of its first byte";
    case Fault::Unknown: return "neither TLS nor HTTP, at port 443 or 80 of a name";
    case Fault::Unheard: return "nobody was there to read its name";
  }
  return {};
}

std::optional<std::string> host_name_of(std::string_view text) {
  const bool is_whole = text.ends_with('.');
  if (is_whole) text.remove_suffix(1);
  if (is_whole && text.find('.') == std::string_view::npos) return std::nullopt;
  std::string name = lower(text);
  const bool has_empty_label = name.empty() || name.front() == '.' || name.back() == '.' ||
                               name.find("..") != std::string::npos;
  if (has_empty_label || name.size() > kLongestName || !std::ranges::all_of(name, is_of_name)) return std::nullopt;
  return name;
}

Heard faulty(Fault fault) { return {Heard::State::Faulty, fault}; }

Heard named(std::string_view text) {
  std::optional<std::string> name = host_name_of(text);
  return name ? Heard{Heard::State::Named, Fault::None, std::move(*name)} : faulty(Fault::Malformed);
}

Heard heard_in(Octets begin) {
  if (begin.empty()) return {};
  const bool is_whole = begin.size() >= kMostHeard;
  Heard heard = read(begin.first(std::min(begin.size(), kMostHeard)));
  return is_whole && heard.state == Heard::State::Incomplete ? faulty(Fault::TooLong) : heard;
}

}  // namespace jail::egress
