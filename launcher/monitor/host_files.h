// Whether the host has a file that the jail does not: a program that looks for what is nowhere was denied nothing.
#pragma once

#include <string>

#include "monitor/mounts.h"

namespace jail::monitor {

// True also where that cannot be told: behind a link, and where a file system may not answer.
bool host_may_have(const std::string& path, Mounts& mounts);

}  // namespace jail::monitor
