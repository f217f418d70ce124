// The mounts of a process as /proc/PID/mountinfo lists them (proc(5)). An open one answers poll(2) with POLLPRI after
// every change of that mount namespace (Linux 2.6.30).
#pragma once

#include <string>
#include <vector>

#include "base/fd.h"

namespace jail::sys {

struct MountEntry {
  std::string id;
  std::string root;  // of the mount, within its file system
  std::string path;  // where it stands, seen by that process
  std::string type;  // of the file system
};

std::vector<MountEntry> parse_mounts(const std::string& mountinfo);

// From the start, whatever was read of it before.
std::vector<MountEntry> read_mounts(const Fd& mountinfo);

}  // namespace jail::sys
