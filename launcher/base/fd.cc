#include "base/fd.h"

#include <fcntl.h>

#include "base/error.h"

namespace jail {

Fd duplicate(int descriptor) { return Fd(check(::fcntl(descriptor, F_DUPFD_CLOEXEC, STDERR_FILENO + 1), "fcntl")); }

}  // namespace jail
