// The kernel's programs of bpf/, compiled, as bytes of this program. Made by embed.cmake.
#pragma once

#include <span>
#include <string_view>

namespace jail::trace {

struct Object {
  std::string_view name;  // of its source: "process"
  std::span<const unsigned char> bytes;
};
std::span<const Object> objects();

// SHA-256 over all of them, 64 lower-case hexadecimal digits.
std::string_view objects_digest();

}  // namespace jail::trace
