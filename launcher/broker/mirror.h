// The groups that those who ask stand in, once more below a folder of ours: the same names, the same limits. So whoever
// is put there is still held to what the administrator holds them to, however many runs there are; together they may
// have it once more (SECURITY E3).
//
// Groups of a user's own making are left out: their limits are the user's own to change, and their number, too. What
// root has made and given to a user (cgroup-v2.rst, "Delegation") is not: its limits are still root's.
//
// A copy stays as long as what it is a copy of: what a run has left in memory, of files and of shared mappings, counts
// there, and would count nowhere once it is taken away.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "base/fd.h"

namespace jail::broker {

class Mirror {
 public:
  // `base`: an empty group of ours. `top`: the highest group of all. Both folders; `base` is below `top`.
  Mirror(std::string base, std::string top) : base_(std::move(base)), top_(std::move(top)) {}

  // The folder for a run of somebody in the group of this folder. None: `why`.
  std::optional<std::string> enter(const std::string& group, std::string& why);
  // Takes away the copies, with nobody in them, of what is no longer there.
  void tidy() noexcept;

 private:
  bool copy(const std::string& from, const std::string& to, std::string& why);

  std::string base_, top_;
  std::map<std::string, std::string> copies_;  // the folder of each, and of what
};

}  // namespace jail::broker
