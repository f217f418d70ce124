#include "base/error.h"

#include <cstring>

namespace jail {

std::string errno_name(int error) {
  const char* name = ::strerrorname_np(error);
  return name != nullptr ? name : "E" + std::to_string(error);
}

}  // namespace jail
