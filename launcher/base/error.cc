#include "base/error.h"

#include <cstring>

namespace jail {

std::string errno_name(int error) {
  const char* name = ::strerrorname_np(error);
  return name != nullptr ? name : "E" + std::to_string(error);
}

int errno_of(std::string_view name) {
  constexpr int kMost = 133;  // EHWPOISON, errno(3)
  for (int error = 1; error <= kMost; ++error)
    if (const char* known = ::strerrorname_np(error); known != nullptr && name == known) return error;
  return 0;
}

}  // namespace jail
