#include "monitor/mounts.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>

#include "profile/paths.h"
#include "sys/mountinfo.h"

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

}  // namespace

void Mounts::open() { opened_ = Fd(::open(table_.c_str(), O_RDONLY | O_CLOEXEC)); }

void Mounts::read_again_if_changed() {
  pollfd polled{opened_.get(), POLLPRI, 0};
  if (read_ && ::poll(&polled, 1, 0) == 0) return;
  if (!opened_) open();
  read_ = static_cast<bool>(opened_);
  mounts_.clear();
  std::string text;
  char block[16'384];
  (void)::lseek(opened_.get(), 0, SEEK_SET);
  for (ssize_t size = 0; (size = ::read(opened_.get(), block, sizeof block)) > 0;)
    text.append(block, static_cast<std::size_t>(size));
  for (sys::MountEntry& entry : sys::parse_mounts(text))
    if (!entry.type.empty()) mounts_.push_back({std::move(entry.id), std::move(entry.path), is_local(entry.type)});
}

bool Mounts::any_may_hang() {
  read_again_if_changed();
  return mounts_.empty() || !std::ranges::all_of(mounts_, &Mount::local);
}

bool Mounts::has(std::string_view id) {
  read_again_if_changed();
  return std::ranges::find(mounts_, id, &Mount::id) != mounts_.end();
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
