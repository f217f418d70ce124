// A control group of the run's own, below the caller's, so that every limit set on the caller holds for it, too. Only
// for the network programs, which hang on a group; it has no controller and limits nothing.
#pragma once

#include <optional>
#include <string>

#include "base/fd.h"

namespace jail::trace {

class Cgroup {
 public:
  // None: `why`. `name` is for people, and unique by what follows its last '-': takes away what others of this sort
  // have left who were killed.
  static std::optional<Cgroup> make(const std::string& name, std::string& why);
  Cgroup(Cgroup&&) = default;
  Cgroup& operator=(Cgroup&&) = default;
  ~Cgroup();  // nobody is left in it

  [[nodiscard]] const Fd& folder() const { return folder_; }  // what clone3(2) starts a process in
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  Cgroup(Fd parent, Fd folder, std::string name, std::string path)
      : parent_(std::move(parent)), folder_(std::move(folder)), name_(std::move(name)), path_(std::move(path)) {}

  Fd parent_, folder_;
  std::string name_, path_;
};

// The group above all that this process can see; empty: there is none.
Fd open_top_group();

// `path` below the mount of cgroup2, for a line "0::/path" of /proc/PID/cgroup (cgroups(7)); none: there is no such.
std::optional<std::string> group_of(const std::string& lines);

}  // namespace jail::trace
