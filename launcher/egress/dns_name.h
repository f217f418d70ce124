// Domain names within messages (RFC 1035, sections 3.1 and 4.1.4), read within bounds. Pure.
//
// A reader of our own instead of ares_expand_name(3): that follows pointers where a question may have none, allocates,
// and hands out escaped text, where the resolver must compare and repeat the octets; the records around the names have
// to be read by hand in any case.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace jail::egress {

using Octets = std::span<const std::uint8_t>;

// Octets, as they travel: labels with their lengths, the empty one last.
struct DnsName {
  std::string wire;
  std::size_t end = 0;  // the offset in the message behind it
};

enum class Pointers { Refused, Followed };

// Nothing for what ends beyond the message, has more than 255 octets, another type of label, or a pointer that is
// refused or does not lead back.
std::optional<DnsName> read_name(Octets message, std::size_t offset, Pointers pointers);

// "www.example.org": lower case, without the final dot; an octet that is no letter, digit, '-' or '_' as \DDD, so that
// a dot is always one between labels. Empty for the root.
std::string text_of_name(std::string_view wire);

// The reverse of the ordinary: nothing for an empty or too long label or name.
std::optional<std::string> wire_of_name(std::string_view text);

std::string lower(std::string_view wire);

// The case of each letter by one bit: an answer must repeat it, and who did not see the question must guess it.
std::string mix_case(std::string_view wire, std::span<const std::uint8_t> random);

}  // namespace jail::egress
