#include "monitor/host_files.h"

#include <fcntl.h>

#include <cerrno>

#include "sys/file.h"

namespace jail::monitor {

bool host_may_have(const std::string& path, Mounts& mounts) {
  if (mounts.may_hang(path)) return true;
  int error = 0;
  const Fd found = sys::try_open_at(AT_FDCWD, path.c_str(), O_PATH | O_NOFOLLOW, sys::Resolve::NoLinks, error);
  return found || (error != ENOENT && error != ENOTDIR);
}

}  // namespace jail::monitor
