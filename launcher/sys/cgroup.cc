#include "sys/cgroup.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <functional>

#include "sys/mountinfo.h"

namespace jail::sys {
namespace {

constexpr std::size_t kMost = 1 << 20;

// Not by openat2(2), which filters put away that cannot look at its flags (RestrictSUIDSGID= of systemd.exec(5)).
std::string read(int folder, const char* path) {
  const Fd file(::openat(folder, path, O_RDONLY | O_CLOEXEC));
  std::string text;
  char block[4096];
  while (file && text.size() < kMost) {
    const ssize_t size = ::read(file.get(), block, sizeof block);
    if (size <= 0) break;  // ENODEV: the group has just gone
    text.append(block, static_cast<std::size_t>(size));
  }
  return text;
}

Fd open_group(const Fd& parent, const char* name) {
  return Fd(::openat(parent.get(), name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
}

void for_each_group(const Fd& parent, const std::function<void(const char* name)>& visit) {
  DIR* all = ::fdopendir(open_group(parent, ".").release());
  while (const dirent* entry = all == nullptr ? nullptr : ::readdir(all))
    if (entry->d_type == DT_DIR && entry->d_name[0] != '.') visit(entry->d_name);
  if (all != nullptr) (void)::closedir(all);
}

constexpr int kDeepest = 32;

// With the groups in it, so far as nobody is left there.
bool remove_tree(const Fd& parent, const char* name, int deepest = kDeepest) {
  if (::unlinkat(parent.get(), name, AT_REMOVEDIR) == 0 || errno == ENOENT) return true;
  const Fd folder = deepest > 0 ? open_group(parent, name) : Fd();
  if (!folder) return false;
  for_each_group(folder, [&](const char* below) { (void)remove_tree(folder, below, deepest - 1); });
  return ::unlinkat(parent.get(), name, AT_REMOVEDIR) == 0;
}

bool is_there(const Fd& parent, const std::string& name) {
  return ::faccessat(parent.get(), name.c_str(), F_OK, 0) == 0;
}

// Locked, and for its owner alone, so that nobody else can lock it; a sweep may have come between, and taken it away.
// Empty: errno.
Fd make_group(const Fd& parent, const std::string& name) {
  constexpr int kTries = 3;
  for (int i = 0; i < kTries; ++i) {
    if (::mkdirat(parent.get(), name.c_str(), 0700) != 0) return {};
    Fd folder = open_group(parent, name.c_str());
    if (folder && ::flock(folder.get(), LOCK_EX | LOCK_NB) == 0 && is_there(parent, name)) return folder;
    (void)::unlinkat(parent.get(), name.c_str(), AT_REMOVEDIR);
  }
  errno = EBUSY;
  return {};
}

std::optional<std::uint64_t> number_of(std::string_view digits) {
  std::uint64_t number = 0;
  const char* const end = digits.data() + digits.size();
  const auto [stop, error] = std::from_chars(digits.data(), end, number);
  if (error != std::errc{} || stop != end) return std::nullopt;
  return number;
}

}  // namespace

std::optional<std::string> group_of(const std::string& lines) {
  const std::size_t start = lines.starts_with("0::/") ? 0 : lines.find("\n0::/");
  if (start == std::string::npos) return std::nullopt;
  const std::size_t path = lines.find("0::", start) + 3;
  const std::string group = lines.substr(path, lines.find('\n', path) - path);
  return group == "/" ? "" : group;
}

std::optional<GroupMount> find_group_mount() {
  const std::vector<MountEntry> mounts = parse_mounts(read(AT_FDCWD, "/proc/self/mountinfo"));
  const auto mount = std::ranges::find(mounts, "cgroup2", &MountEntry::type);
  if (mount == mounts.end()) return std::nullopt;
  return GroupMount{mount->path, mount->root == "/" ? "" : mount->root};
}

std::optional<std::string> group_folder(const GroupMount& mount, pid_t process) {
  const std::string who = process == 0 ? "self" : std::to_string(process);
  const std::optional<std::string> group = group_of(read(AT_FDCWD, ("/proc/" + who + "/cgroup").c_str()));
  if (!group || !group->starts_with(mount.root)) return std::nullopt;
  return mount.folder + group->substr(mount.root.size());
}

std::optional<GroupTree> find_groups(pid_t process) {
  const auto mount = find_group_mount();
  const auto own = mount ? group_folder(*mount, process) : std::nullopt;
  return own ? std::optional(GroupTree{mount->folder, *own}) : std::nullopt;
}

Fd open_top_group() {
  const auto mount = find_group_mount();
  return Fd(mount ? ::open(mount->folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1);
}

std::string read_group_file(const Fd& group, const char* name) {
  std::string text = read(group.get(), name);
  if (text.ends_with('\n')) text.pop_back();
  return text;
}

int write_group_file(const Fd& group, const char* name, std::string_view text) noexcept {
  const Fd file(::openat(group.get(), name, O_WRONLY | O_CLOEXEC));
  if (!file) return errno;
  return ::write(file.get(), text.data(), text.size()) < 0 ? errno : 0;
}

std::optional<std::uint64_t> keyed_number(std::string_view text, std::string_view key) {
  for (std::size_t start = 0; start < text.size();) {
    const std::size_t end = std::min(text.find('\n', start), text.size());
    const std::string_view line = text.substr(start, end - start);
    if (line.size() > key.size() && line.starts_with(key) && line[key.size()] == ' ')
      return number_of(line.substr(key.size() + 1));
    start = end + 1;
  }
  return std::nullopt;
}

std::optional<std::uint64_t> number_in(const Fd& group, const char* name) {
  return number_of(read_group_file(group, name));
}

std::optional<Cgroup> Cgroup::make(const std::string& parent, const std::string& name, std::string& why) {
  Fd around(::open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  Fd folder = around ? make_group(around, name) : Fd();
  if (!folder) {
    why = "making a control group in " + parent + ": " + std::strerror(errno);
    return std::nullopt;
  }
  return Cgroup(std::move(around), std::move(folder), name, parent + "/" + name);
}

void sweep_groups(const Fd& parent, std::string_view kin) {
  for_each_group(parent, [&](const char* name) {
    if (!std::string_view(name).starts_with(kin)) return;
    const Fd left = open_group(parent, name);
    if (left && ::flock(left.get(), LOCK_EX | LOCK_NB) == 0) (void)remove_tree(parent, name);
  });
}

bool Cgroup::remove() noexcept { return remove_tree(parent_, name_.c_str()); }

Cgroup::~Cgroup() {
  if (!parent_) return;
  (void)remove();
  sweep_groups(parent_, std::string_view(name_).substr(0, name_.rfind('-') + 1));
}

}  // namespace jail::sys
