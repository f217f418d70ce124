// One line that would allow what was denied: for whoever reads the log or asks `jail why`, and finds it right.
#pragma once

#include <string>

#include "event/event.h"
#include "profile/profile.h"

namespace jail::cli {

// "add to crm.yaml:12, filesystem: read: [/srv/x]"; empty where no line of a profile would do it. Harmless on a
// terminal.
std::string hint_for(const event::Record& record);

enum class Grant { Read, Write, Exec };
// `rule`: the line that decides, "crm.yaml:12:5", or "default" or empty.
std::string hint_for_syscall(const std::string& call, const std::string& rule, const std::string& profile);
// A name without a port is shown with PORT in its place.
std::string hint_for_endpoint(const profile::Endpoint& endpoint, const std::string& rule, const std::string& profile);
// `error`: the errno that the plugin sees.
std::string hint_for_path(Grant grant, const std::string& path, const std::string& rule, int error,
                          const std::string& profile);

}  // namespace jail::cli
