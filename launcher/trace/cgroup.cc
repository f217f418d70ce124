#include "trace/cgroup.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "sys/file.h"
#include "sys/mountinfo.h"

namespace jail::trace {
namespace {

constexpr std::size_t kMost = 1 << 20;

std::string read(const char* path) {
  int error = 0;
  const Fd file = sys::try_open_at(AT_FDCWD, path, O_RDONLY, sys::Resolve::Anything, error);
  return file ? sys::read_file(file, kMost) : "";
}

// Where the caller's own group is.
std::optional<std::string> own_folder() {
  const std::vector<sys::MountEntry> mounts = sys::parse_mounts(read("/proc/self/mountinfo"));
  const auto mount = std::ranges::find(mounts, "cgroup2", &sys::MountEntry::type);
  const std::optional<std::string> group = group_of(read("/proc/self/cgroup"));
  if (mount == mounts.end() || !group) return std::nullopt;
  if (mount->root == "/") return mount->path + *group;
  if (!group->starts_with(mount->root)) return std::nullopt;
  return mount->path + group->substr(mount->root.size());
}

Fd open_group(const Fd& parent, const char* name) {
  return Fd(::openat(parent.get(), name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
}

// Whoever has made a group holds a lock on it; who was killed has left one without. One with processes in it stays.
void sweep(const Fd& parent, std::string_view kin) {
  DIR* all = ::fdopendir(open_group(parent, ".").release());
  while (const dirent* entry = all == nullptr ? nullptr : ::readdir(all)) {
    if (entry->d_type != DT_DIR || !std::string_view(entry->d_name).starts_with(kin)) continue;
    const Fd left = open_group(parent, entry->d_name);
    if (left && ::flock(left.get(), LOCK_EX | LOCK_NB) == 0)
      (void)::unlinkat(parent.get(), entry->d_name, AT_REMOVEDIR);
  }
  if (all != nullptr) (void)::closedir(all);
}

bool is_there(const Fd& parent, const std::string& name) {
  return ::faccessat(parent.get(), name.c_str(), F_OK, 0) == 0;
}

// Locked; a sweep may have come between, and taken it away. Empty: errno.
Fd make_group(const Fd& parent, const std::string& name) {
  constexpr int kTries = 3;
  for (int i = 0; i < kTries; ++i) {
    if (::mkdirat(parent.get(), name.c_str(), 0755) != 0) return {};
    Fd folder = open_group(parent, name.c_str());
    if (folder && ::flock(folder.get(), LOCK_EX | LOCK_NB) == 0 && is_there(parent, name)) return folder;
    (void)::unlinkat(parent.get(), name.c_str(), AT_REMOVEDIR);
  }
  errno = EBUSY;
  return {};
}

}  // namespace

std::optional<std::string> group_of(const std::string& lines) {
  const std::size_t start = lines.starts_with("0::/") ? 0 : lines.find("\n0::/");
  if (start == std::string::npos) return std::nullopt;
  const std::size_t path = lines.find("0::", start) + 3;
  const std::string group = lines.substr(path, lines.find('\n', path) - path);
  return group == "/" ? "" : group;
}

Fd open_top_group() {
  const std::vector<sys::MountEntry> mounts = sys::parse_mounts(read("/proc/self/mountinfo"));
  const auto mount = std::ranges::find(mounts, "cgroup2", &sys::MountEntry::type);
  return Fd(mount == mounts.end() ? -1 : ::open(mount->path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

std::optional<Cgroup> Cgroup::make(const std::string& name, std::string& why) {
  const std::optional<std::string> own = own_folder();
  if (!own) {
    why = "no control groups of version 2 here";
    return std::nullopt;
  }
  Fd parent(::open(own->c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (parent) sweep(parent, std::string_view(name).substr(0, name.rfind('-') + 1));
  Fd folder = parent ? make_group(parent, name) : Fd();
  if (!folder) {
    why = "making a control group in " + *own + ": " + std::strerror(errno);
    return std::nullopt;
  }
  return Cgroup(std::move(parent), std::move(folder), name, *own + "/" + name);
}

Cgroup::~Cgroup() {
  if (parent_) (void)::unlinkat(parent_.get(), name_.c_str(), AT_REMOVEDIR);
}

}  // namespace jail::trace
