// Which places belong to a file system that may not answer: one behind a network or a user's program, or an autofs,
// which would mount what it is asked for. Nobody may wait there on a plugin's word: a thread that waits for FUSE cannot
// even be killed, and its process does not end (measured on Linux 6.18). So nothing there is looked up or read in.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"

namespace jail::monitor {

class Mounts {
 public:
  // `table`: "/proc/self/mountinfo" (proc(5)). What cannot be read may not answer anywhere.
  explicit Mounts(std::string table) : table_(std::move(table)) {}

  // While the process whose table it is can be asked for it; what is open can be read later. Else with the first look.
  void open();
  bool may_hang(std::string_view path);
  // Anywhere at all.
  bool any_may_hang();
  // Whether one of them has this number. A descriptor of another was opened elsewhere, and given.
  bool has(std::string_view id);

 private:
  struct Mount {
    std::string id;
    std::string path;
    bool local = false;
  };
  void read_again_if_changed();

  std::string table_;
  bool read_ = false;
  Fd opened_;  // it becomes ready (POLLPRI) when the table has changed
  std::vector<Mount> mounts_;
};

}  // namespace jail::monitor
