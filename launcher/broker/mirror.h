// The groups that those who ask stand in, once more below a folder of ours: the same names, the same limits. So whoever
// is put there is still held to what the administrator holds them to, however many runs there are; together they may
// have it once more (SECURITY E3).
//
// Groups of a user's own making are left out: their limits are the user's own to change, and their number, too.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/fd.h"

namespace jail::broker {

class Mirror {
 public:
  // `base`: an empty group of ours. `top`: the highest group of all. Both folders; `base` is below `top`.
  Mirror(std::string base, std::string top) : base_(std::move(base)), top_(std::move(top)) {}

  // The folder for a run of somebody in the group of this folder, until leave(). None: `why`.
  std::optional<std::string> enter(const std::string& group, std::string& why);
  // Nobody of a run is there any more. Takes away what nobody needs.
  void leave(const std::string& folder) noexcept;

 private:
  bool copy(const std::string& from, const std::string& to, std::string& why) const;

  std::string base_, top_;
  std::map<std::string, unsigned> runs_;  // by folder
};

}  // namespace jail::broker
