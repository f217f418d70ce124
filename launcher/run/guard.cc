#include "run/guard.h"

#include <fcntl.h>
#include <sys/inotify.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/text.h"
#include "profile/paths.h"
#include "sys/file.h"

namespace jail::run {
namespace {

using confine::view::Hold;

constexpr std::uint32_t kOfItself = IN_MOVE_SELF | IN_DELETE_SELF;
constexpr std::uint32_t kOfNames = IN_MOVED_FROM | IN_MOVED_TO | IN_CREATE | IN_DELETE;
constexpr const char* kMaskRoot = "/.empty-";  // what a mask shows (confine/view.cc), in the jail's own tmpfs

std::string quoted(const std::string& path) { return "'" + text::for_people(path) + "'"; }

// "'/srv/keys', hidden by crm.yaml:9:5,"
std::string protection_of(const Hold& hold) {
  return quoted(hold.kept) + (hold.by == Hold::By::Mask ? ", hidden by " : ", restricted by ") +
         profile::to_string(hold.place);
}

std::string what_happened(const Hold& hold, const std::string& deed) {
  const std::string on_the_way = hold.path == hold.kept ? "" : quoted(hold.path) + ", on the way to ";
  return on_the_way + protection_of(hold) + ", was " + deed + " on the host";
}

Refusal refusal(const Hold& hold, std::string reason, std::string hint) {
  return {"mount", std::move(reason), std::move(hint), hold.place};
}

Refusal cannot_watch(const Hold& hold, int error) {
  const std::string what = protection_of(hold) + ", cannot be guarded against changes on the host: ";
  if (error == EMFILE)
    return refusal(hold, what + "too many programs of this user watch files, or too many descriptors are open",
                   "raise fs.inotify.max_user_instances (sysctl), or grant the folders beside it");
  if (error == ENOSPC)
    return refusal(hold, what + "this user watches too many files (inotify)",
                   "raise fs.inotify.max_user_watches (sysctl), or grant the folders beside it");
  if (error == EACCES)
    return refusal(hold, what + "neither " + quoted(hold.path) + " nor the folder it is in may be read",
                   "grant the folders beside it instead of the one above it");
  if (error == ESTALE) return refusal(hold, what + "it has just been replaced", "try again");
  return refusal(hold, what + std::strerror(error), {});
}

// Empty, with errno, where there is nothing of that name.
Fd open_without_links(const std::string& path) {
  int error = 0;
  Fd opened = sys::try_open_at(AT_FDCWD, path.c_str(), O_PATH | O_NOFOLLOW, sys::Resolve::NoLinks, error);
  errno = error;
  return opened;
}

bool is_still(const Fd& place, const profile::Identity& identity) {
  const struct stat status = sys::file_status(place);
  return profile::Identity{status.st_dev, status.st_ino} == identity;
}

bool stands_at(const sys::MountEntry& mount, const Hold& hold) {
  return mount.path == hold.kept && (hold.by != Hold::By::Mask || mount.root.starts_with(kMaskRoot));
}

}  // namespace

std::variant<Guard, Refusal> Guard::watch(const confine::view::Plan& plan) {
  Guard guard;
  if (plan.holds.empty()) return guard;
  guard.holds_ = plan.holds;
  guard.inotify_ = Fd(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  if (!guard.inotify_) return cannot_watch(guard.holds_.front(), errno);
  for (std::size_t i = 0; i < guard.holds_.size(); ++i)
    if (const int error = guard.add(i); error != 0) return cannot_watch(guard.holds_[i], error);
  return guard;
}

// The inode itself where it may be read, since then nothing but its own fate is told; else its name in its folder.
int Guard::add(std::size_t index) {
  const Hold& hold = holds_[index];
  const Fd place = open_without_links(hold.path);
  if (!place) return errno;
  if (hold.path == hold.kept && !is_still(place, hold.identity)) return ESTALE;
  Watch watch{.descriptor = add_watch(place, kOfItself), .name = {}, .hold = index};
  if (watch.descriptor < 0 && errno == EACCES) {
    watch.descriptor = add_watch(open_without_links(std::string(profile::folder_of(hold.path))), kOfNames);
    watch.name = hold.path.substr(hold.path.rfind('/') + 1);
  }
  if (watch.descriptor < 0) return errno;
  watches_.push_back(std::move(watch));
  return 0;
}

int Guard::add_watch(const Fd& place, std::uint32_t events) const {
  if (!place) return -1;
  const std::string by_descriptor = "/proc/self/fd/" + std::to_string(place.get());
  return ::inotify_add_watch(inotify_.get(), by_descriptor.c_str(), events | IN_MASK_ADD);
}

std::optional<Refusal> Guard::settle(pid_t process) {
  if (holds_.empty()) return std::nullopt;
  const std::string mounts = "/proc/" + std::to_string(process) + "/mountinfo";
  int error = 0;
  mountinfo_ = sys::try_open_at(AT_FDCWD, mounts.c_str(), O_RDONLY, sys::Resolve::NoLinks, error);
  if (!mountinfo_)
    return refusal(holds_.front(), protection_of(holds_.front()) + ", cannot be guarded: " + mounts + ": " +
                                       std::strerror(error), {});
  const std::vector<sys::MountEntry> present = sys::read_mounts(mountinfo_);
  for (std::size_t i = 0; i < holds_.size(); ++i)
    if (holds_[i].path == holds_[i].kept && !count(present, i)) return cannot_watch(holds_[i], ESTALE);
  if (const auto what = moved()) return refusal(holds_.front(), *what, "try again");
  return std::nullopt;
}

bool Guard::count(const std::vector<sys::MountEntry>& present, std::size_t hold) {
  const std::size_t before = mounts_.size();
  for (const sys::MountEntry& mount : present)
    if (stands_at(mount, holds_[hold])) mounts_.push_back({mount.id, hold});
  return mounts_.size() != before;
}

void Guard::add_to(std::vector<pollfd>& polled) const {
  if (holds_.empty()) return;
  polled.push_back({inotify_.get(), POLLIN, 0});
  polled.push_back({mountinfo_.get(), POLLPRI, 0});
}

std::optional<std::string> Guard::breach(const std::vector<pollfd>& polled) const {
  const auto woken = [&](const Fd& by) {
    return std::ranges::any_of(polled, [&](const pollfd& one) { return one.fd == by.get() && one.revents != 0; });
  };
  if (holds_.empty()) return std::nullopt;
  if (woken(inotify_))
    if (auto what = moved()) return what;
  return woken(mountinfo_) ? lost_mount() : std::nullopt;
}

std::optional<std::string> Guard::moved() const {
  alignas(inotify_event) char block[16384];
  for (ssize_t size; (size = ::read(inotify_.get(), block, sizeof block)) > 0;)
    for (const char* at = block; at < block + size;) {
      inotify_event event;
      std::memcpy(&event, at, sizeof event);
      const std::string name = event.len == 0 ? "" : at + sizeof event;
      if (auto what = moved(event.wd, event.mask, name)) return what;
      at += sizeof event + event.len;
    }
  return std::nullopt;
}

std::optional<std::string> Guard::moved(int descriptor, std::uint32_t events, const std::string& name) const {
  if (events & IN_Q_OVERFLOW)
    return "more changes on the host than could be told around " + protection_of(holds_.front());
  for (const Watch& watch : watches_) {
    if (watch.descriptor != descriptor || watch.name != name) continue;
    if (events & (IN_MOVE_SELF | IN_MOVED_FROM)) return what_happened(holds_[watch.hold], "moved");
    if (events & (IN_DELETE_SELF | IN_DELETE)) return what_happened(holds_[watch.hold], "deleted");
    if (events & (IN_MOVED_TO | IN_CREATE)) return what_happened(holds_[watch.hold], "replaced");
    if (events & IN_UNMOUNT) return what_happened(holds_[watch.hold], "unmounted");
  }
  return std::nullopt;
}

// Other mounts may come and go, such as those that a network file system makes by itself; ours must stay.
std::optional<std::string> Guard::lost_mount() const {
  const std::vector<sys::MountEntry> present = sys::read_mounts(mountinfo_);
  for (const Mount& mount : mounts_)
    if (std::ranges::find(present, mount.id, &sys::MountEntry::id) == present.end())
      return what_happened(holds_[mount.hold], "replaced or deleted");
  return std::nullopt;
}

void Guard::release() {
  for (const Watch& watch : watches_) (void)::inotify_rm_watch(inotify_.get(), watch.descriptor);
  holds_.clear();
}

}  // namespace jail::run
