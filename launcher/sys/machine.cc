#include "sys/machine.h"

#include <sys/sysinfo.h>

namespace jail::sys {

Memory memory_of_machine() noexcept {
  struct sysinfo machine {};
  if (::sysinfo(&machine) != 0) return {};
  const std::uint64_t unit = machine.mem_unit;
  return {.ram = machine.totalram * unit, .swap = machine.totalswap * unit};
}

}  // namespace jail::sys
