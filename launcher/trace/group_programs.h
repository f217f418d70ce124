// The programs of eBPF that hold a control group, hung on it or on one above it (BPF_PROG_QUERY with
// BPF_F_QUERY_EFFECTIVE, Linux 4.17): what systemd makes of IPAddressDeny=, DeviceAllow= and the like.
#pragma once

#include <cstdint>
#include <optional>
#include <set>

#include "base/fd.h"

namespace jail::trace {

// Their numbers. Needs CAP_NET_ADMIN. None: there are more than can be told.
std::optional<std::set<std::uint32_t>> programs_on(const Fd& group);

}  // namespace jail::trace
