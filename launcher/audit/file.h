// The system calls of the log, one typed function each: this module stands beside sys/, not above it. Nothing throws:
// a log that cannot be had is an answer here, not an exception.
#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "audit/problem.h"
#include "base/fd.h"

namespace jail::audit::file {

// How a path may be walked (openat2(2), Linux 5.6).
enum class Walk {
  AnyLinks,       // as open(2) does: for a place the user's own environment names
  NoLinks,        // no symbolic link anywhere
  BeneathNoLinks  // nor any way out of the folder
};

// `folder` -1 means the working folder. On failure `error` is errno and there is no descriptor.
struct Opened {
  Fd fd;
  int error = 0;
};
Opened open(int folder, const std::string& path, int flags, mode_t mode, Walk walk) noexcept;

int make_folder(int folder, const std::string& path) noexcept;  // mode 0700; 0, also where it exists, or errno
int status(int fd, struct stat& status) noexcept;               // 0 or errno

// "open '/x': permission denied"
Problem problem(std::string_view operation, std::string_view subject, int error, std::string hint = {});

}  // namespace jail::audit::file
