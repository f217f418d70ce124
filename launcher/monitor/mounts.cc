#include "monitor/mounts.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <sstream>

#include "profile/paths.h"

namespace jail::monitor {
namespace {

constexpr std::string_view kLocal[] = {
    "bcachefs", "binfmt_misc", "bpf", "btrfs", "cgroup", "cgroup2", "configfs", "debugfs", "devpts", "devtmpfs",
    "efivarfs", "erofs", "exfat", "ext2", "ext3", "ext4", "f2fs", "fusectl", "hugetlbfs", "iso9660", "jfs", "mqueue",
    "msdos", "nsfs", "overlay", "proc", "pstore", "ramfs", "rootfs", "securityfs", "squashfs", "sysfs", "tmpfs",
    "tracefs", "udf", "vfat", "xfs", "zfs"};

bool is_local(std::string_view type) {
  return std::ranges::find(kLocal, type) != std::end(kLocal);
}

// "\040" and its kin.
std::string unescaped(const std::string& field) {
  std::string path;
  for (std::size_t i = 0; i < field.size(); ++i) {
    const bool escape = field[i] == '\\' && i + 3 < field.size();
    path += escape ? static_cast<char>((field[i + 1] - '0') * 64 + (field[i + 2] - '0') * 8 + (field[i + 3] - '0'))
                   : field[i];
    if (escape) i += 3;
  }
  return path;
}

}  // namespace

void Mounts::read_again_if_changed() {
  pollfd polled{opened_.get(), POLLPRI, 0};
  if (opened_ && ::poll(&polled, 1, 0) == 0) return;
  if (!opened_) opened_ = Fd(::open(table_.c_str(), O_RDONLY | O_CLOEXEC));
  mounts_.clear();
  std::string text;
  char block[16'384];
  (void)::lseek(opened_.get(), 0, SEEK_SET);
  for (ssize_t size = 0; (size = ::read(opened_.get(), block, sizeof block)) > 0;)
    text.append(block, static_cast<std::size_t>(size));
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream fields(line);
    std::string skipped, path, type;
    fields >> skipped >> skipped >> skipped >> skipped >> path;
    while (fields >> skipped && skipped != "-") {}
    if (fields >> type) mounts_.push_back({unescaped(path), is_local(type)});
  }
}

bool Mounts::any_may_hang() {
  read_again_if_changed();
  return mounts_.empty() || !std::ranges::all_of(mounts_, &Mount::local);
}

// The mount of the longest path holds it; of several on one place the last.
bool Mounts::may_hang(std::string_view path) {
  read_again_if_changed();
  const Mount* holder = nullptr;
  for (const Mount& mount : mounts_)
    if (profile::is_within(path, mount.path) && (holder == nullptr || mount.path.size() >= holder->path.size()))
      holder = &mount;
  return holder == nullptr || !holder->local;
}

}  // namespace jail::monitor
