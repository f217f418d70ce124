// What a call by its registers alone is worth telling: its name in its ABI, what power it asks for, the plain numbers.
#pragma once

#include <linux/seccomp.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "event/event.h"
#include "monitor/caller.h"

namespace jail::monitor {

// Of x86-64; empty: there is no such call.
std::string call_name(std::uint32_t number);

// privilege.attempt or syscall.denied. `privilege`: what it asks for where the call alone does not say so.
event::Body call_body(const seccomp_data& data, std::string_view privilege = {});

// Today's C library tries clone3(2) for every thread and process, and falls back.
bool is_ordinary_clone3(const seccomp_notif& notified, const Caller& caller);

}  // namespace jail::monitor
