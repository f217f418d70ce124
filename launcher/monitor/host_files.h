// Whether the host has a file that the jail does not: a program that looks for what is nowhere was denied nothing.
#pragma once

#include <string>

namespace jail::monitor {

// True also where that cannot be told. Goes step by step without following a link, and never looks for a name inside an
// autofs: asking for it would mount something, so a plugin could have the host mount what it names.
bool host_may_have(const std::string& path);

}  // namespace jail::monitor
