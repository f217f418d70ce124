// Control groups of version 2 (cgroups(7), cgroup-v2.rst of the kernel): where the caller's is, the files of one, and
// one of the caller's own making.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/fd.h"

namespace jail::sys {

// Where the groups are to be seen, and which of them is the highest there.
struct GroupMount {
  std::string folder;
  std::string root;
};
std::optional<GroupMount> find_group_mount();
// The folder of a process's group; none: it has ended, or is in a group that is not to be seen.
std::optional<std::string> group_folder(const GroupMount& mount, pid_t process);

// Folders: the highest group that this process can see, and its own; or that of another process (0: its own).
struct GroupTree {
  std::string top;
  std::string own;
};
std::optional<GroupTree> find_groups(pid_t process = 0);

// The group above all that this process can see; empty: there is none.
Fd open_top_group();

// `path` below the mount of cgroup2, for a line "0::/path" of /proc/PID/cgroup; none: there is no such.
std::optional<std::string> group_of(const std::string& lines);

// What a file of a group says, without the line's end; empty: it is not there, or says nothing.
std::string read_group_file(const Fd& group, const char* name);
// One write(2): 0, or errno.
int write_group_file(const Fd& group, const char* name, std::string_view text) noexcept;
// What stands behind `key` in a file of lines "KEY NUMBER".
std::optional<std::uint64_t> keyed_number(std::string_view text, std::string_view key);
// Of a file that holds one number; none for "max".
std::optional<std::uint64_t> number_in(const Fd& group, const char* name);

// Takes away what those have left in `parent` who were killed: groups whose names begin so, with what is in them.
// Whoever has made a group holds a lock on it; one with processes in it stays.
void sweep_groups(const Fd& parent, std::string_view kin);

// A group that is at somebody's disposal: its folder, to read, and its files, to write.
class HeldGroup {
 public:
  virtual ~HeldGroup() = default;
  [[nodiscard]] virtual const Fd& folder() const = 0;
  [[nodiscard]] virtual const std::string& path() const = 0;
  // As write_group_file().
  virtual int write(const char* name, std::string_view text) const noexcept = 0;
};

// One of the caller's own making.
class Cgroup : public HeldGroup {
 public:
  // In the folder `parent`. None: `why`. `name` is for people, and unique by what follows its last '-'.
  static std::optional<Cgroup> make(const std::string& parent, const std::string& name, std::string& why);
  Cgroup(Cgroup&&) = default;
  Cgroup& operator=(Cgroup&&) = default;
  // Nobody is left in it. Takes away, too, what others of this sort have left who were killed: not at the start, which
  // would take the longer the more of them live.
  ~Cgroup() override;

  [[nodiscard]] const Fd& folder() const override { return folder_; }  // what clone3(2) starts a process in
  [[nodiscard]] const std::string& path() const override { return path_; }
  // With all groups in it. False: somebody is left there.
  bool remove() noexcept;
  int write(const char* name, std::string_view text) const noexcept override {
    return write_group_file(folder_, name, text);
  }

 private:
  Cgroup(Fd parent, Fd folder, std::string name, std::string path)
      : parent_(std::move(parent)), folder_(std::move(folder)), name_(std::move(name)), path_(std::move(path)) {}

  Fd parent_, folder_;
  std::string name_, path_;
};

}  // namespace jail::sys
