// What the kernel's programs tell (bpf/events.h) as events. Pure; takes any bytes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "event/event.h"

namespace jail::trace {

// A call that names files, told when it had ended: what it means and who has refused it, others know.
struct FileCall {
  struct Name {
    std::string folder;  // that a relative name starts from; empty: none, or it could not be told
    std::string text;    // empty: the folder itself
    bool unreadable = false;
  };
  std::uint32_t number = 0;
  std::array<std::uint32_t, 6> arguments{};  // their lower halves; of openat2 the third are its flags
  Name first, second;
  int error = 0;  // errno
  std::int32_t pid = 0, jail_pid = 0;
  std::uint64_t mono_ns = 0;
};

// None: another record.
std::optional<FileCall> decode_call(std::span<const std::byte> record);

// None: not a whole record.
std::optional<event::Event> decode(std::span<const std::byte> record);

// Names from the file up to the root, each with its NUL, as an absolute path.
std::string path_of_walk(std::string_view walk);

// `name` as it is meant in `folder`, without "." and "..": by its text, so not beyond links.
std::string path_in(const std::string& folder, std::string_view name);

}  // namespace jail::trace
