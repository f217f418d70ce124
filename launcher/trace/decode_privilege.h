// What a record tells of power that was wanted.
#pragma once

#include <optional>

#include "bpf/events.h"
#include "event/event.h"

namespace jail::trace {

// None: of no call that is told (bpf/privilege.h).
std::optional<event::PrivilegeAttempt> privilege_of(const jail_event& head);

}  // namespace jail::trace
