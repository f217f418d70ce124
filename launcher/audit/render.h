// A record as one line for people: time (UTC), profile, run, kind, what happened. Nothing in it but our own colours
// acts on a terminal.
#pragma once

#include <string>

#include "audit/reader.h"
#include "event/event.h"

namespace jail::audit {

enum class Colour { Plain, Ansi };

std::string render(const event::Record& record, Colour colour);
std::string render(const Line& line, Colour colour);  // also what is foreign or torn

// What to say of a run whose end is not in the log.
std::string render_unfinished(const std::string& run);

}  // namespace jail::audit
