// Events to lines and back. A line is one JSON object and never longer than kMaxLine, whatever the event holds: long
// members are cut and named in `truncated`. Every string of an event passes the redactor before it is cut, so that half
// a secret cannot stay behind.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "base/json.h"
#include "event/event.h"
#include "event/redact.h"

namespace jail::event {

inline constexpr std::size_t kMaxLine = 16'384;  // bytes, the line feed included

// Leaves one object without line feed in `writer`, whose former content is dropped.
void encode(const Stamp& stamp, const Event& event, const Redactor& redactor, json::Writer& writer);

// Nothing for a line that is no record of this schema or of a kind this build does not know. Unknown members are
// ignored.
std::optional<Record> decode(std::string_view line);

}  // namespace jail::event
