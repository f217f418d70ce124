#include "profile/endpoint.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

namespace jail::profile {
namespace {

constexpr std::size_t kMostRanges = 64;
constexpr std::string_view kShape =
    "write tcp://name:443, tcp://*.name:443, udp://10.0.0.0/8:53 or tcp://[2001:db8::1]:443";

struct Problem {
  std::string_view message;
  std::string_view hint = {};
};
using Outcome = std::optional<Problem>;  // nothing: all went well
constexpr Outcome kGood = std::nullopt;

struct Scheme {
  std::string_view name;
  std::uint16_t port;
};

// The ports that IANA's registry or the program's own documentation gives these schemes.
constexpr std::array kSchemes{
    Scheme{"http", 80},       Scheme{"https", 443},       Scheme{"ws", 80},      Scheme{"wss", 443},
    Scheme{"postgres", 5432}, Scheme{"postgresql", 5432}, Scheme{"mysql", 3306}, Scheme{"redis", 6379},
    Scheme{"rediss", 6379},   Scheme{"amqp", 5672},       Scheme{"amqps", 5671}, Scheme{"mongodb", 27017},
    Scheme{"mqtt", 1883},     Scheme{"mqtts", 8883},      Scheme{"nats", 4222},  Scheme{"ldap", 389},
    Scheme{"ldaps", 636},     Scheme{"smtp", 25},         Scheme{"smtps", 465},  Scheme{"imap", 143},
    Scheme{"imaps", 993},     Scheme{"ssh", 22},          Scheme{"sftp", 22},    Scheme{"git", 9418},
    Scheme{"ftp", 21},        Scheme{"memcached", 11211}};

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_name_character(char c) { return is_digit(c) || (c >= 'a' && c <= 'z') || c == '-' || c == '_'; }
bool is_printable_ascii(char c) { return c > ' ' && c < 0x7f; }

std::string lower_case(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return lower;
}

// Cuts `text` at the first `separator` and returns what stood before it, or all of it.
std::string_view take_until(std::string_view& text, char separator) {
  const std::size_t at = std::min(text.find(separator), text.size());
  const std::string_view taken = text.substr(0, at);
  text.remove_prefix(std::min(at + 1, text.size()));
  return taken;
}

std::optional<unsigned> decimal(std::string_view text, unsigned most) {
  unsigned value = 0;
  if (text.empty() || text.size() > 5 || !std::ranges::all_of(text, is_digit)) return std::nullopt;
  if (text.size() > 1 && text[0] == '0') return std::nullopt;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value <= most ? std::optional(value) : std::nullopt;
}

// --- hosts ---

bool is_good_label(std::string_view label) {
  return !label.empty() && label.size() <= 63 && label.front() != '-' && label.back() != '-' &&
         std::ranges::all_of(label, is_name_character);
}

// Resolvers and browsers read a last label such as "1", "0x7f" or "017" as part of an IPv4 address (inet_aton(3)).
bool looks_like_number(std::string_view label) {
  const auto is_hexadecimal = [](char c) { return is_digit(c) || (c >= 'a' && c <= 'f'); };
  return std::ranges::all_of(label, is_digit) ||
         (label.starts_with("0x") && std::ranges::all_of(label.substr(2), is_hexadecimal));
}

Outcome read_name(std::string_view name, Endpoint& endpoint) {
  if (name.size() > 253) return Problem{"a host name longer than 253 characters"};
  const std::string lower = lower_case(name);
  std::string_view rest = lower;
  std::string_view label;
  while (!rest.empty()) {
    label = take_until(rest, '.');
    if (!is_good_label(label)) return Problem{"no host name (letters, digits, '-', '_' and single dots)", kShape};
  }
  if (lower.empty() || lower.back() == '.') return Problem{"no host name: it is empty or ends in a dot", kShape};
  if (looks_like_number(label)) return Problem{"an odd form of an address", "write four decimal numbers: 127.0.0.1"};
  if (label == "localhost")
    return Problem{"'localhost' is two things: the jail's own loopback (always free) and the host's",
                   "for the host's write 127.0.0.1 or [::1]"};
  endpoint.host = lower;
  return kGood;
}

using Address = std::array<unsigned char, 16>;

// Bits after the prefix must be zero: 10.1.2.3/8 is a slip in one of its halves.
bool has_host_bits(const Address& address, unsigned prefix, unsigned bits) {
  for (unsigned bit = prefix; bit < bits; ++bit)
    if ((address[bit / 8] >> (7 - bit % 8) & 1) != 0) return true;
  return false;
}

bool is_mapped(const Address& address) {  // ::ffff:0:0/96: an IPv4 address in disguise
  return std::all_of(address.begin(), address.begin() + 10, [](unsigned char c) { return c == 0; }) &&
         address[10] == 0xff && address[11] == 0xff;
}

std::string canonical(int family, const Address& address) {
  std::array<char, INET6_ADDRSTRLEN> buffer{};
  return ::inet_ntop(family, address.data(), buffer.data(), buffer.size()) == nullptr ? "" : buffer.data();
}

// inet_pton(3) takes one spelling of IPv4 only: four decimal numbers without needless zeros.
Outcome read_address(int family, std::string_view text, Endpoint& endpoint) {
  Address address{};
  const std::string_view without_prefix = text.substr(0, text.find('/'));
  if (::inet_pton(family, std::string(without_prefix).c_str(), address.data()) != 1)
    return Problem{"no address", family == AF_INET ? "write four decimal numbers: 127.0.0.1" : kShape};
  if (family == AF_INET6 && is_mapped(address)) return Problem{"an IPv4 address in disguise", "write it as IPv4"};
  endpoint.kind = HostKind::Address;
  endpoint.host = canonical(family, address);
  if (without_prefix.size() == text.size()) return kGood;
  const unsigned bits = family == AF_INET ? 32 : 128;
  const std::optional<unsigned> prefix = decimal(text.substr(without_prefix.size() + 1), bits);
  if (!prefix) return Problem{"no prefix length", "write a whole number of bits after '/': 10.0.0.0/8"};
  if (has_host_bits(address, *prefix, bits))
    return Problem{"the address has bits set behind its prefix", "write the network's own address: 10.0.0.0/8"};
  endpoint.kind = HostKind::Prefix;
  endpoint.prefix_length = static_cast<int>(*prefix);
  return kGood;
}

bool is_dotted_quad(std::string_view host) {
  return std::ranges::all_of(host, [](char c) { return is_digit(c) || c == '.' || c == '/'; });
}

Outcome read_plain_host(std::string_view host, Endpoint& endpoint) {
  if (host == "*") return Problem{"'*' alone would be every host", "name the hosts, or a prefix such as 0.0.0.0/0"};
  if (host.starts_with("*.")) {
    endpoint.kind = HostKind::Wildcard;
    return read_name(host.substr(2), endpoint);
  }
  if (!host.empty() && is_dotted_quad(host)) return read_address(AF_INET, host, endpoint);
  endpoint.kind = HostKind::Name;
  return read_name(host, endpoint);
}

// --- ports ---

Outcome read_range(std::string_view text, Endpoint& endpoint) {
  const bool is_range = text.find('-') != std::string_view::npos;
  const std::optional<unsigned> first = decimal(take_until(text, '-'), 65535);
  const std::optional<unsigned> last = is_range ? decimal(text, 65535) : first;
  if (!first || !last || *first == 0) return Problem{"no port (1 to 65535)", "write :443, :80,443, :8000-8100 or :*"};
  if (*last < *first) return Problem{"the port range runs backwards"};
  endpoint.ports.push_back({static_cast<std::uint16_t>(*first), static_cast<std::uint16_t>(*last)});
  return endpoint.ports.size() > kMostRanges ? Outcome(Problem{"more than 64 port ranges"}) : kGood;
}

Outcome read_ports(std::string_view text, Endpoint& endpoint) {
  if (text == "*") return kGood;
  if (text.empty() || text.back() == ',') return Problem{"no port", "write :443, :80,443, :8000-8100 or :*"};
  while (!text.empty())
    if (const Outcome problem = read_range(take_until(text, ','), endpoint)) return problem;
  return kGood;
}

// --- whole texts ---

struct Authority {
  std::string_view host;  // without brackets; with "/bits" where that is allowed
  std::string_view port;
  bool has_port = false;
  int family = AF_UNSPEC;  // AF_INET6 when it stood in brackets
};

// "[2001:db8::]/32:443" in its parts; "[::1]" without a port.
Outcome split_brackets(std::string_view text, Authority& parts, std::string& storage) {
  const std::size_t close = text.find(']');
  if (close == std::string_view::npos) return Problem{"'[' without ']'", kShape};
  const std::string_view after = text.substr(close + 1);
  const std::size_t colon = after.find(':');
  parts.has_port = colon != std::string_view::npos;
  parts.port = parts.has_port ? after.substr(colon + 1) : std::string_view{};
  const std::string_view prefix = after.substr(0, colon);
  if (!prefix.empty() && prefix[0] != '/') return Problem{"text between ']' and ':'", kShape};
  storage = std::string(text.substr(1, close - 1)).append(prefix);
  parts.host = storage;
  parts.family = AF_INET6;
  return kGood;
}

Outcome split(std::string_view text, Authority& parts, std::string& storage) {
  if (text.find('@') != std::string_view::npos)
    return Problem{"a user name or password", "leave it out: secrets belong in env.secret"};
  if (text.find('%') != std::string_view::npos) return Problem{"a '%' in the host"};
  if (text.starts_with('[')) return split_brackets(text, parts, storage);
  const std::size_t colon = text.find(':');
  if (colon != text.rfind(':')) return Problem{"an IPv6 address without brackets", "write tcp://[2001:db8::1]:443"};
  parts.has_port = colon != std::string_view::npos;
  parts.host = text.substr(0, colon);
  parts.port = parts.has_port ? text.substr(colon + 1) : std::string_view{};
  return kGood;
}

// What is refused wherever it stands, before any part is looked at.
Outcome refuse_odd_text(std::string_view text) {
  if (text.size() > 2048) return Problem{"longer than 2048 characters"};
  if (!std::ranges::all_of(text, is_printable_ascii))
    return Problem{"a space, a control or a character outside ASCII", "write an international name as xn--..."};
  if (text.find('\\') != std::string_view::npos) return Problem{"a backslash"};
  return kGood;
}

Outcome read_host(const Authority& parts, Endpoint& endpoint) {
  return parts.family == AF_INET6 ? read_address(AF_INET6, parts.host, endpoint)
                                  : read_plain_host(parts.host, endpoint);
}

Outcome read_endpoint(std::string_view text, Endpoint& endpoint) {
  if (const Outcome problem = refuse_odd_text(text)) return problem;
  const bool is_udp = text.starts_with("udp://");
  if (!is_udp && !text.starts_with("tcp://")) return Problem{"it does not begin with tcp:// or udp://", kShape};
  endpoint.protocol = is_udp ? Protocol::Udp : Protocol::Tcp;
  Authority parts;
  std::string storage;
  if (const Outcome problem = split(text.substr(6), parts, storage)) return problem;
  if (const Outcome problem = read_host(parts, endpoint)) return problem;
  if (!parts.has_port) return Problem{"no port", "write :443, :80,443, :8000-8100 or :*"};
  return read_ports(parts.port, endpoint);
}

Outcome read_url_port(std::string_view scheme, const Authority& parts, Endpoint& endpoint) {
  if (parts.has_port) {
    const std::optional<unsigned> port = decimal(parts.port, 65535);
    if (!port || *port == 0) return Problem{"no port (1 to 65535)"};
    endpoint.ports = {{static_cast<std::uint16_t>(*port), static_cast<std::uint16_t>(*port)}};
    return kGood;
  }
  const auto known = std::ranges::find(kSchemes, scheme, &Scheme::name);
  if (known == kSchemes.end()) return Problem{"no port, and its scheme implies none", "write the port into the URL"};
  endpoint.ports = {{known->port, known->port}};
  return kGood;
}

bool is_scheme(std::string_view text) {
  return !text.empty() && !is_digit(text[0]) && std::ranges::all_of(text, [](char c) {
    return is_digit(c) || (c >= 'a' && c <= 'z') || c == '+' || c == '-' || c == '.';
  });
}

Outcome read_url(std::string_view text, Endpoint& endpoint) {
  if (const Outcome problem = refuse_odd_text(text)) return problem;
  const std::size_t colon = text.find("://");
  const std::string scheme = lower_case(text.substr(0, colon));
  if (colon == std::string_view::npos || !is_scheme(scheme))
    return Problem{"no URL", "it must look like https://name:8443/path"};
  if (scheme == "udp") endpoint.protocol = Protocol::Udp;
  const std::string_view rest = text.substr(colon + 3);
  const std::size_t end = std::min(rest.find_first_of("/?#"), rest.size());
  // "https://name?@other" is other's to some readers, name's to others.
  if (end < rest.size() && rest[end] != '/' && rest.find('@') != std::string_view::npos)
    return Problem{"a user name or password", "leave it out: secrets belong in env.secret"};
  Authority parts;
  std::string storage;
  if (const Outcome problem = split(rest.substr(0, end), parts, storage)) return problem;
  if (parts.host.find('*') != std::string_view::npos) return Problem{"a '*' in the host"};
  if (const Outcome problem = read_host(parts, endpoint)) return problem;
  return read_url_port(scheme, parts, endpoint);
}

EndpointReading reading(Endpoint endpoint, const Outcome& problem) {
  if (!problem) return {std::move(endpoint), {}, {}};
  return {{}, std::string(problem->message), std::string(problem->hint)};
}

std::string shown_ports(const std::vector<PortRange>& ports) {
  if (ports.empty()) return "*";
  std::string text;
  for (const PortRange& range : ports) {
    text.append(text.empty() ? "" : ",").append(std::to_string(range.first));
    if (range.last != range.first) text.append("-").append(std::to_string(range.last));
  }
  return text;
}

}  // namespace

EndpointReading parse_endpoint(std::string_view text) {
  Endpoint endpoint;
  const Outcome problem = read_endpoint(text, endpoint);
  return reading(std::move(endpoint), problem);
}

EndpointReading parse_url(std::string_view text) {
  Endpoint endpoint;
  const Outcome problem = read_url(text, endpoint);
  return reading(std::move(endpoint), problem);
}

std::string to_string(const Endpoint& endpoint) {
  std::string host = endpoint.host;
  if (host.find(':') != std::string::npos) host = "[" + host + "]";
  if (endpoint.kind == HostKind::Wildcard) host = "*." + host;
  if (endpoint.kind == HostKind::Prefix) host += "/" + std::to_string(endpoint.prefix_length);
  return (endpoint.protocol == Protocol::Tcp ? "tcp://" : "udp://") + host + ":" + shown_ports(endpoint.ports);
}

}  // namespace jail::profile
