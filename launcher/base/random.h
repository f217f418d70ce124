// Names that nobody can guess or meet twice, from the kernel's generator (getrandom(2)).
#pragma once

#include <string>

namespace jail::random {

// 16 lower-case hexadecimal digits, 64 bits. A run id stands in every record, so each digit costs; it tells runs apart
// and authenticates nothing. Among a million runs the chance of any two alike is 1 in 37 million.
// Throws SysError; waits only where the kernel has not been seeded since boot.
std::string run_id();

}  // namespace jail::random
