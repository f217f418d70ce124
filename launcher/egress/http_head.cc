#include "egress/http_head.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace jail::egress {
namespace {

bool is_alike(char one, char other) {
  const auto upper = [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; };
  return upper(one) == upper(other);
}

bool is_alike(std::string_view one, std::string_view other) {
  return std::ranges::equal(one, other, [](char a, char b) { return is_alike(a, b); });
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// RFC 9110, 5.6.2.
bool is_of_token(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

bool is_control(char c) { return (c >= 0 && c < ' ' && c != '\t') || c == 0x7f; }

std::string_view trimmed(std::string_view text) {
  const std::size_t first = std::min(text.find_first_not_of(" \t"), text.size());
  text.remove_prefix(first);
  return text.substr(0, text.find_last_not_of(" \t") + 1);
}

// Cuts it off, without its end; nothing: it has none yet.
std::optional<std::string_view> take_line(std::string_view& text) {
  const std::size_t end = text.find('\n');
  if (end == std::string_view::npos) return std::nullopt;
  std::string_view line = text.substr(0, end);
  text.remove_prefix(end + 1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

// "name", "name:80"; nothing for another form, such as an address in brackets or one with a user.
std::optional<std::string> host_in(std::string_view authority) {
  const std::size_t colon = std::min(authority.find(':'), authority.size());
  const std::string_view port = authority.substr(std::min(colon + 1, authority.size()));
  if (!std::ranges::all_of(port, is_digit)) return std::nullopt;
  return host_name_of(authority.substr(0, colon));
}

// Whose path it is: of CONNECT and of a target with a scheme, which count more than Host does. Empty: it does not say.
std::optional<std::string> host_of_target(std::string_view method, std::string_view target) {
  if (method == "CONNECT") return host_in(target);
  if (target.starts_with('/') || target == "*") return std::string();
  const std::size_t scheme = target.find("://");
  if (scheme == std::string_view::npos || !std::ranges::all_of(target.substr(0, scheme), is_of_token))
    return std::nullopt;
  target.remove_prefix(scheme + 3);
  return host_in(target.substr(0, target.find_first_of("/?#")));
}

class Head {
 public:
  // False: it is faulty.
  bool add_request(std::string_view line) {
    const std::size_t first = line.find(' ');
    const std::size_t last = line.rfind(' ');
    const std::string_view version = line.substr(last + 1);
    if (version == "HTTP/2.0" || version == "HTTP/2") return fail(Fault::Hidden);
    if (version != "HTTP/1.1" && version != "HTTP/1.0") return fail(Fault::Malformed);
    const std::string_view target = line.substr(first + 1, last - std::min(last, first + 1));
    if (target.empty() || std::ranges::any_of(target, [](char c) { return c == ' ' || c == '\t' || is_control(c); }))
      return fail(Fault::Malformed);
    const auto host = host_of_target(line.substr(0, first), target);
    return host ? add(*host) : fail(Fault::Malformed);
  }

  bool add_field(std::string_view line) {
    const std::size_t colon = line.find(':');
    const std::string_view name = line.substr(0, colon);
    const bool is_malformed = colon == std::string_view::npos || name.empty() ||
                              !std::ranges::all_of(name, is_of_token) || std::ranges::any_of(line, is_control);
    if (is_malformed) return fail(Fault::Malformed);
    if (!is_alike(name, "Host")) return true;
    if (std::exchange(has_host_, true)) return fail(Fault::TwoNames);
    const auto host = host_in(trimmed(line.substr(colon + 1)));
    return host ? add(*host) : fail(Fault::NoName);
  }

  [[nodiscard]] Heard heard() const {
    if (fault_ != Fault::None || host_.empty()) return faulty(fault_ == Fault::None ? Fault::NoName : fault_);
    return {Heard::State::Named, Fault::None, host_};
  }

 private:
  bool add(const std::string& host) {
    if (!host.empty() && !host_.empty() && host != host_) return fail(Fault::TwoNames);
    if (!host.empty()) host_ = host;
    return true;
  }
  bool fail(Fault fault) { return fault_ = fault, false; }

  std::string host_;
  Fault fault_ = Fault::None;
  bool has_host_ = false;
};

// What some server takes for white space, of those that read a request's line leniently (Python: of ISO 8859-1).
bool is_white(char c) {
  const auto octet = static_cast<unsigned char>(c);
  return (octet >= '\t' && octet <= '\r') || (octet >= 0x1c && octet <= ' ') || octet == 0x85 || octet == 0xa0;
}

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

// Up to white space, which is cut off with it, as what was in front was.
std::string_view take_word(std::string_view& text) {
  const auto end = std::ranges::find_if(text, is_white);
  const std::string_view word(text.begin(), end);
  text = {std::find_if_not(end, text.end(), is_white), text.end()};
  return word;
}

// What a first line begins with, before anything of it is known. Binary protocols begin with a token and an odd white
// space, too (0x30 0x0c, of LDAP): a letter is what tells them from a lenient server's request.
Heard::State begin_of(std::string_view text) {
  const auto end = std::ranges::find_if_not(text, is_of_token);
  if (end == text.end()) return Heard::State::Incomplete;
  const bool is_spaced = *end == ' ' || *end == '\t' || (is_white(*end) && std::any_of(text.begin(), end, is_letter));
  return end != text.begin() && is_spaced ? Heard::State::Named : Heard::State::Other;
}

bool names_http(std::string_view line) {
  constexpr std::string_view kName = "HTTP/";
  return !std::ranges::search(line, kName, [](char a, char b) { return is_alike(a, b); }).empty();
}

// As they are written: memcached has a "get" of its own.
bool is_method(std::string_view word) {
  constexpr std::string_view kMethods[] = {"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH"};
  return std::ranges::find(kMethods, word) != std::end(kMethods);
}

// Also one without a version (HTTP/0.9), behind which servers read a Host all the same, or give what they have for
// none; and whatever the target of a method is.
bool is_request(std::string_view line) {
  if (names_http(line)) return true;
  const std::string_view method = take_word(line);
  const std::string_view target = take_word(line);
  if (is_method(method) && !target.empty()) return true;
  return target.starts_with('/') || target.starts_with('*') || target.find("://") != std::string_view::npos ||
         (is_alike(method, "CONNECT") && !target.empty());
}

// Of HAProxy's PROXY protocol, behind which anything may come; in its second version text and NUL.
constexpr std::string_view kProxy("PROXY ");
constexpr std::string_view kProxy2("\r\n\r\n\0\r\nQUIT\n", 12);

}  // namespace

Heard read_head(Octets stream) {
  std::string_view text(reinterpret_cast<const char*>(stream.data()), stream.size());
  if (text.starts_with(kProxy) || text.starts_with(kProxy2)) return faulty(Fault::Malformed);
  if (kProxy2.starts_with(text)) return {};
  const auto begin = std::ranges::find_if_not(text, is_white);  // as a lenient server does
  const bool is_odd = std::string_view(text.begin(), begin).find_first_not_of("\r\n \t") != std::string_view::npos;
  text = {begin, text.end()};
  if (const Heard::State state = begin_of(text); state != Heard::State::Named) return {state};
  const auto request = take_line(text);
  if (!request) return {};
  if (!is_request(*request)) return {Heard::State::Other};
  if (is_odd) return faulty(Fault::Malformed);
  Head head;
  if (!head.add_request(*request)) return head.heard();
  for (;;) {
    const auto line = take_line(text);
    if (!line) return {};
    if (line->empty() || !head.add_field(*line)) return head.heard();
  }
}

}  // namespace jail::egress
