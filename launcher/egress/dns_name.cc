#include "egress/dns_name.h"

#include <algorithm>

namespace jail::egress {
namespace {

constexpr std::size_t kLongestWire = 255;
constexpr std::size_t kLongestLabel = 63;
constexpr std::uint8_t kPointer = 0xc0;

// Lengths of labels are below 'A': a name's octets may be treated all alike.
static_assert(kLongestLabel < 'A');

bool is_letter(char octet) { return (octet >= 'A' && octet <= 'Z') || (octet >= 'a' && octet <= 'z'); }

char lower(char octet) { return octet >= 'A' && octet <= 'Z' ? static_cast<char>(octet + ('a' - 'A')) : octet; }

void append_octet(std::string& text, char octet) {
  octet = lower(octet);
  if (is_letter(octet) || (octet >= '0' && octet <= '9') || octet == '-' || octet == '_') {
    text.push_back(octet);
    return;
  }
  const auto number = static_cast<std::uint8_t>(octet);
  text.push_back('\\');
  for (const int place : {100, 10, 1}) text.push_back(static_cast<char>('0' + number / place % 10));
}

}  // namespace

std::optional<DnsName> read_name(Octets message, std::size_t offset, Pointers pointers) {
  DnsName name;
  std::size_t piece = offset;  // each pointer leads before the piece that it ends, so they come to an end
  while (offset < message.size()) {
    const std::uint8_t length = message[offset];
    if ((length & kPointer) == kPointer) {
      if (pointers == Pointers::Refused || offset + 1 >= message.size()) return std::nullopt;
      if (name.end == 0) name.end = offset + 2;
      offset = static_cast<std::size_t>(length & ~kPointer) << 8 | message[offset + 1];
      if (offset >= piece) return std::nullopt;
      piece = offset;
      continue;
    }
    const std::size_t size = length + std::size_t{1};
    if (length > kLongestLabel || size > message.size() - offset) return std::nullopt;
    if (name.wire.size() + size > kLongestWire) return std::nullopt;
    name.wire.append(reinterpret_cast<const char*>(&message[offset]), size);
    offset += size;
    if (length != 0) continue;
    if (name.end == 0) name.end = offset;
    return name;
  }
  return std::nullopt;
}

std::string text_of_name(std::string_view wire) {
  std::string text;
  while (!wire.empty() && wire.front() != 0) {
    const auto length = static_cast<std::size_t>(wire.front());
    if (!text.empty()) text.push_back('.');
    for (const char octet : wire.substr(1, length)) append_octet(text, octet);
    wire.remove_prefix(std::min(wire.size(), length + 1));
  }
  return text;
}

std::optional<std::string> wire_of_name(std::string_view text) {
  std::string wire;
  while (!text.empty()) {
    const std::string_view label = text.substr(0, text.find('.'));
    if (label.empty() || label.size() > kLongestLabel) return std::nullopt;
    wire.push_back(static_cast<char>(label.size()));
    wire.append(label);
    text.remove_prefix(std::min(text.size(), label.size() + 1));
  }
  wire.push_back(0);
  if (wire.size() > kLongestWire) return std::nullopt;
  return wire;
}

std::string lower(std::string_view wire) {
  std::string lowered(wire);
  std::ranges::transform(lowered, lowered.begin(), [](char octet) { return lower(octet); });
  return lowered;
}

std::string mix_case(std::string_view wire, std::span<const std::uint8_t> random) {
  constexpr char kCase = 'a' ^ 'A';
  std::string mixed(wire);
  for (std::size_t i = 0; i < mixed.size() && i / 8 < random.size(); ++i)
    if (is_letter(mixed[i]) && (random[i / 8] >> (i % 8) & 1) != 0) mixed[i] = static_cast<char>(mixed[i] ^ kCase);
  return mixed;
}

}  // namespace jail::egress
