// Places whose content the host runs of its own accord: a plugin that may write there leaves its jail the next time
// somebody logs in, opens a shell, commits or starts a program (SECURITY C9). Read by the rules and, in `learn`, to
// leave such places out of what it proposes.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace jail::profile {

// Below the operator's home.
std::span<const std::string_view> executed_at_home();

// Absolute.
std::span<const std::string_view> executed_by_system();

// Names that mean it wherever they stand, as a component of a path.
std::span<const std::string_view> executed_by_name();

// Those of them whose presence in a granted folder tells what the folder is.
std::span<const std::string_view> telling_names();

// The entry that a path falls under, is part of, or (for places of a home or the system) contains; nothing for others.
std::optional<std::string> executed_place(std::string_view path, std::string_view home);

}  // namespace jail::profile
