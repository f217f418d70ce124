// Ends a jail when the host takes away what protects a place in it (SECURITY C4).
//
// A mask, or a grant stricter than the one around it, is a mount upon a file that the host can still change. Saving or
// deleting that file there detaches the mount; moving it, or a folder above it, takes the mount along and leaves the
// old name bare. Neither can be forbidden, so both are watched: moves by inotify(7) on the very inodes, whatever they
// are called and through which mount they are reached; lost mounts by poll(2) on the jail's mountinfo, on every file
// system, also where the change was made by another machine. The watches stand before the view is built, which checks
// identities (ESTALE), and the mounts are counted before the plugin starts: nothing slips between.
//
// What remains is the time between the change and SIGKILL: a plugin that is just then looking may see what was hidden.
#pragma once

#include <poll.h>
#include <sys/types.h>

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/fd.h"
#include "confine/view.h"
#include "run/plan.h"
#include "sys/mountinfo.h"

namespace jail::run {

class Guard {
 public:
  Guard() = default;

  // Before the view is built. A plan that takes nothing out of a grant has nothing to watch and costs nothing. What
  // cannot be watched, be it for want of a right or of inotify instances, must not be started.
  static std::variant<Guard, Refusal> watch(const confine::view::Plan& plan);

  // When the view stands and before anything of the plugin runs: from here on every loss of a mount shows. `process`:
  // any in the jail's mount namespace.
  [[nodiscard]] std::optional<Refusal> settle(pid_t process);

  // Nothing is appended where there is nothing to watch.
  void add_to(std::vector<pollfd>& polled) const;
  // What the host did, and the profile line that no longer holds: the jail must die.
  [[nodiscard]] std::optional<std::string> breach(const std::vector<pollfd>& polled) const;
  // The plugin is gone. The kernel takes some milliseconds to forget a watch, and the close(2) in the destructor waits
  // for it: told early, that passes while the jail is taken down.
  void release();

 private:
  struct Watch {
    int descriptor = 0;
    std::string name;      // empty: the inode itself is watched; else this name in the folder
    std::size_t hold = 0;  // in holds_
  };
  struct Mount {
    std::string id;
    std::size_t hold = 0;
  };

  [[nodiscard]] int add(std::size_t hold);  // an errno, or 0
  bool count(const std::vector<sys::MountEntry>& present, std::size_t hold);  // whether there is any
  [[nodiscard]] int add_watch(const Fd& place, std::uint32_t events) const;
  [[nodiscard]] std::optional<std::string> moved() const;
  [[nodiscard]] std::optional<std::string> moved(int descriptor, std::uint32_t events, const std::string& name) const;
  [[nodiscard]] std::optional<std::string> lost_mount() const;

  std::vector<confine::view::Hold> holds_;
  std::vector<Watch> watches_;
  std::vector<Mount> mounts_;
  Fd inotify_;
  Fd mountinfo_;
};

}  // namespace jail::run
