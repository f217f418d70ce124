// What the kernel's programs tell (bpf/events.h) as events. Pure; takes any bytes.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "event/event.h"

namespace jail::trace {

// None: not a whole record.
std::optional<event::Event> decode(std::span<const std::byte> record);

// Names from the file up to the root, each with its NUL, as an absolute path.
std::string path_of_walk(std::string_view walk);

// `name` as it is meant in `folder`, without "." and "..": by its text, so not beyond links.
std::string path_in(const std::string& folder, std::string_view name);

}  // namespace jail::trace
