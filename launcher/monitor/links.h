// Symbolic links in what is granted and in /tmp: a plugin can plant some, and a granted folder may hold some that lead
// out of what is granted, which looks to a program as if a file were missing.
#pragma once

#include <string>
#include <unordered_set>

#include "base/fd.h"
#include "monitor/mounts.h"

namespace jail::monitor {

enum class Last { Followed, Itself };  // whether a call looks behind a link that the path ends in

// Whether what was found once can be trusted to stay: not where the plugin may write.
enum class Tree { Steady, Changing };

class Links {
 public:
  static constexpr std::size_t kMostRemembered = 4096;

  Links() = default;
  // `root`: of the jail's view (O_PATH). Without one, and where a file system may not answer, no link is found.
  Links(Fd root, Mounts mounts)
      : root_(std::move(root)), mounts_(std::move(mounts)), some_may_hang_(mounts_.any_may_hang()) {}

  // The path that the first link on the way makes of `path`, which is absolute and normal; empty: there is no link.
  std::string follow(const std::string& path, Last last, Tree tree);

  // Whether the view has it, no link followed. Yes where it cannot be told.
  [[nodiscard]] bool has(const std::string& path);

 private:
  bool leads_through_one(const std::string& path, Last last, Tree tree);
  [[nodiscard]] bool folder_is_without(const std::string& path) const;
  void remember(const std::string& path);

  Fd root_;
  Mounts mounts_{""};
  bool some_may_hang_ = true;
  std::unordered_set<std::string> without_;  // files and folders of steady trees: no link on the way, and none itself
};

}  // namespace jail::monitor
