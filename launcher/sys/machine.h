// The memory of this machine (sysinfo(2)); a container's share of it is a control group's business.
#pragma once

#include <cstdint>

namespace jail::sys {

struct Memory {
  std::uint64_t ram = 0, swap = 0;  // bytes; 0: none, or unknown
};
Memory memory_of_machine() noexcept;

}  // namespace jail::sys
