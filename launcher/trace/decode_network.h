// What a record tells of addresses and of what went over a socket.
#pragma once

#include <optional>
#include <string_view>

#include "bpf/events.h"
#include "event/event.h"

namespace jail::trace {

event::Peer peer_of(const jail_address& address);

// `name` as bind(2) and connect(2) take it, without the family: with a NUL at its end or, without a file, in front.
event::Peer peer_of_unix(std::string_view name);

// None: `traffic` is no jail_traffic. It ends when the record was made.
std::optional<event::NetFlow> flow_of(const jail_event& head, std::string_view traffic);

}  // namespace jail::trace
