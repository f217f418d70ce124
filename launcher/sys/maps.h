// What a process has mapped (proc(5), /proc/PID/maps).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace jail::sys {

// The file whose pages lie at `address`, by the file "maps" of that process: asked for by PROCMAP_QUERY (Linux 6.11),
// before by its text. Without " (deleted)"; empty for memory of no file, and where nobody may look.
std::string mapped_file(const std::string& maps, std::uint64_t address);

// The same from the text alone.
std::string mapped_file_in(std::string_view text, std::uint64_t address);

}  // namespace jail::sys
