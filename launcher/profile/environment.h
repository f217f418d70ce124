// Environment variables that make a program run code: the loader, shells and interpreters obey them before any of the
// plugin's own code does.
#pragma once

#include <span>
#include <string_view>

namespace jail::profile {

// Whether the name is one of those. A glob of env.allow or env.secret never matches such a name: it must be written
// out.
bool runs_code(std::string_view name);

// The names that are not told by their beginning (LD_, DYLD_, GLIBC_, BASH_FUNC_ and versioned LUA_ ones are).
std::span<const std::string_view> code_variables();

// Whether a variable of this name is passed by this entry: the name itself, or a glob with '*'.
bool passes(std::string_view pattern, std::string_view name);

}  // namespace jail::profile
