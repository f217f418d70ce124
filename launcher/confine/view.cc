// The building half of the view. Order matters: /dev and /tmp of our own, so that a grant below them lies on top;
// anchors, parents first; then links, then pins and masks over what is there; at last the root turns read-only and
// becomes the root.
#include "confine/view.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <cerrno>
#include <set>

#include "base/error.h"
#include "profile/paths.h"
#include "sys/file.h"
#include "sys/mount.h"

namespace jail::confine::view {
namespace {

using sys::Resolve;

constexpr int kPathOnly = O_PATH | O_NOFOLLOW;
constexpr const char* kEmptyFolder = ".empty-folder";
constexpr const char* kEmptyFile = ".empty-file";

// Paths below our root are looked up from its descriptor: "usr/lib", never with a link on the way.
const char* below_root(const std::string& path) { return path.size() > 1 ? path.c_str() + 1 : "."; }

bool is(const struct stat& status, const profile::Identity& identity) {
  return status.st_dev == identity.device && status.st_ino == identity.inode;
}

// The descriptor of a granted path, if it still is what the plan saw.
Fd open_anchor(const Anchor& anchor) {
  Fd opened = sys::open_at(anchor.path, kPathOnly, Resolve::NoLinks);
  if (!is(sys::file_status(opened), anchor.identity)) throw SysError(ESTALE, "open", anchor.path);
  return opened;
}

sys::MountForbids forbids(const Anchor& anchor) {
  sys::MountForbids forbids = sys::kForbidsSetuid;
  if (!(anchor.access & kDevice)) forbids = forbids | sys::kForbidsDevices;
  if (!(anchor.access & (kWrite | kDevice))) forbids = forbids | sys::kForbidsWriting;
  if (!(anchor.access & (kExec | kLibrary))) forbids = forbids | sys::kForbidsPrograms;
  return forbids;
}

Fd new_root() {
  Fd root = sys::new_filesystem("tmpfs", {{"size", "1M"}, {"nr_inodes", "2048"}, {"mode", "0755"}},
                                sys::kForbidsSetuid | sys::kForbidsDevices | sys::kForbidsPrograms);
  sys::attach(root, sys::open_at("/proc", O_PATH, Resolve::NoLinks), "/proc");
  return root;
}

// Puts things at their paths in the new root. What lies in our own tmpfs is made and found by name, since nobody else
// can put anything there; what lies in a tree that was granted is looked up without following a link.
class Builder {
 public:
  explicit Builder(const Fd& root) : root_(root) {}

  [[nodiscard]] const Fd& root() const { return root_; }

  // A descriptor of what stands at `path` in the view; never through a link.
  [[nodiscard]] Fd at(const std::string& path) const {
    return sys::open_at(root_, below_root(path), kPathOnly, Resolve::NoLinksBeneath);
  }

  void folder(const std::string& path) {
    if (path == "/" || in_granted_tree(path) || !made_.insert(path).second) return;
    folder(std::string(profile::folder_of(path)));
    if (::mkdirat(root_.get(), below_root(path), 0755) != 0 && errno != EEXIST) throw SysError(errno, "mkdir", path);
  }

  void file(const std::string& path) {
    if (in_granted_tree(path)) return;
    folder(std::string(profile::folder_of(path)));
    sys::make_file(root_, below_root(path), 0444);
  }

  void link(const std::string& text, const std::string& path) {
    folder(std::string(profile::folder_of(path)));
    sys::make_link(text, root_, below_root(path));
  }

  void attach(const Fd& mount, const std::string& path) {
    if (in_granted_tree(path)) sys::attach(mount, at(path), path);
    else sys::attach_at(mount, root_, below_root(path));
  }

  // From here on what lies below `path` is somebody else's.
  void granted_tree(const std::string& path) { trees_.push_back(path + "/"); }

 private:
  [[nodiscard]] bool in_granted_tree(const std::string& path) const {
    return std::any_of(trees_.begin(), trees_.end(), [&](const std::string& tree) { return path.starts_with(tree); });
  }

  const Fd& root_;
  std::set<std::string> made_;
  std::vector<std::string> trees_;
};

void attach_anchor(Builder& view, const Anchor& anchor, const Fd& opened) {
  const Fd mount = sys::clone_tree(opened);
  sys::forbid(mount, forbids(anchor), sys::Depth::WholeTree);
  anchor.node == Node::Folder ? view.folder(anchor.path) : view.file(anchor.path);
  view.attach(mount, anchor.path);
  if (anchor.node == Node::Folder) view.granted_tree(anchor.path);
}

void attach_filesystem(Builder& view, const Fd& mount, const std::string& path) {
  view.folder(path);
  view.attach(mount, path);
}

// One tmpfs, two folders: /tmp and /dev/shm share its size. Its own root lies on /tmp, covered by the folder of that
// name: taking it away again would cost a grace period of the kernel's (umount2(2), some 100 us).
void attach_temporary(Builder& view, std::uint64_t bytes) {
  constexpr sys::MountForbids kForbids = sys::kForbidsSetuid | sys::kForbidsDevices | sys::kForbidsPrograms;
  const std::string inodes = std::to_string(std::max<std::uint64_t>(1024, bytes / 4096));
  const Fd mount = sys::new_filesystem(
      "tmpfs", {{"size", std::to_string(bytes)}, {"nr_inodes", inodes}, {"mode", "0700"}}, kForbids);
  attach_filesystem(view, mount, "/tmp");
  for (const char* name : {"shm", "tmp"}) {
    sys::make_folder(mount, name, 0777);
    check(::fchmodat(mount.get(), name, 01777, 0), "chmod", name);  // the umask has cut the mode of mkdir
  }
  const Fd shm = sys::clone_tree(sys::open_at(mount, "shm", O_PATH, Resolve::NoLinksBeneath));
  const Fd tmp = sys::clone_tree(sys::open_at(mount, "tmp", O_PATH, Resolve::NoLinksBeneath));
  attach_filesystem(view, shm, "/dev/shm");
  attach_filesystem(view, tmp, "/tmp");
}

// Exempt from nodev, by name: a nodev bind of /dev/null cannot be opened.
void attach_device(Builder& view, const std::string& path) {
  int error = 0;
  const Fd device = sys::try_open_at(AT_FDCWD, path.c_str(), kPathOnly, Resolve::NoLinks, error);
  if (!device || !S_ISCHR(sys::file_status(device).st_mode)) return;
  const Fd mount = sys::clone_tree(device);
  sys::forbid(mount, sys::kForbidsSetuid | sys::kForbidsPrograms, sys::Depth::OneMount);
  view.file(path);
  view.attach(mount, path);
}

void attach_terminals(Builder& view) {
  constexpr sys::MountForbids kForbids = sys::kForbidsSetuid | sys::kForbidsPrograms;
  attach_filesystem(
      view, sys::new_filesystem("devpts", {{"newinstance", ""}, {"ptmxmode", "0666"}, {"mode", "0620"}}, kForbids),
      "/dev/pts");
  view.link("pts/ptmx", "/dev/ptmx");
  view.link("/proc/self/fd", "/dev/fd");
  view.link("/proc/self/fd/0", "/dev/stdin");
  view.link("/proc/self/fd/1", "/dev/stdout");
  view.link("/proc/self/fd/2", "/dev/stderr");
}

void pin(Builder& view, const std::string& path) {
  const Fd folder = view.at(path);
  sys::attach(sys::clone_tree(folder), folder, path);
}

void write(Builder& view, const OwnFile& file) {
  view.folder(std::string(profile::folder_of(file.path)));
  sys::make_file(view.root(), below_root(file.path), 0644);
  sys::write_file(view.root(), below_root(file.path), file.content);
}

void cover(Builder& view, const Mask& mask) {
  const Fd place = view.at(mask.path);
  if (!is(sys::file_status(place), mask.identity)) throw SysError(ESTALE, "hide", mask.path);
  const Fd empty = sys::clone_tree(view.at(std::string("/") + (mask.node == Node::Folder ? kEmptyFolder : kEmptyFile)));
  sys::forbid(empty, sys::kForbidsWriting | sys::kForbidsSetuid | sys::kForbidsDevices | sys::kForbidsPrograms,
              sys::Depth::OneMount);
  sys::attach(empty, place, mask.path);
}

// What is hidden shows something empty that even its owner cannot open: mode 000 on a read-only mount.
void cover_hidden(Builder& view, const std::vector<Mask>& masks) {
  if (masks.empty()) return;
  sys::make_folder(view.root(), kEmptyFolder, 0);
  sys::make_file(view.root(), kEmptyFile, 0);
  for (const Mask& mask : masks) cover(view, mask);
  check(::unlinkat(view.root().get(), kEmptyFile, 0), "unlink", kEmptyFile);
  check(::unlinkat(view.root().get(), kEmptyFolder, AT_REMOVEDIR), "rmdir", kEmptyFolder);
}

}  // namespace

Fd make_root() {
  Fd root = new_root();
  Builder view(root);
  for (const char* name : kDevices) attach_device(view, std::string("/dev/") + name);
  attach_terminals(view);
  view.folder("/proc");
  return root;
}

void attach_proc(const Fd& root) {
  const Fd proc = sys::new_filesystem("proc", {{"subset", "pid"}, {"hidepid", "2"}},
                                      sys::kForbidsSetuid | sys::kForbidsDevices | sys::kForbidsPrograms);
  Builder(root).attach(proc, "/proc");
}

std::vector<Fd> open_anchors(const Plan& plan) {
  std::vector<Fd> anchors;
  anchors.reserve(plan.anchors.size());
  for (const Anchor& anchor : plan.anchors) anchors.push_back(open_anchor(anchor));
  return anchors;
}

void build(const Plan& plan, const Fd& root, const std::vector<Fd>& anchors) {
  Builder view(root);
  attach_temporary(view, plan.temporary_bytes);
  for (std::size_t i = 0; i < plan.anchors.size(); ++i)
    if (plan.anchors[i].mounted) attach_anchor(view, plan.anchors[i], anchors.at(i));
  for (const OwnFile& file : plan.files) write(view, file);
  for (const Link& link : plan.links) view.link(link.text, link.path);
  for (const std::string& folder : plan.pins) pin(view, folder);
  cover_hidden(view, plan.masks);
}

void enter(const Fd& root) {
  sys::forbid(root, sys::kForbidsWriting, sys::Depth::OneMount);
  sys::change_root(root);
}

void leave_host() { sys::detach_old_root(); }

bool verify() {
  struct statfs filesystem {};
  struct stat root {};
  struct stat parent {};
  check(::statfs("/", &filesystem), "statfs", "/");
  check(::stat("/", &root), "stat", "/");
  check(::stat("/..", &parent), "stat", "/..");
  return filesystem.f_type == TMPFS_MAGIC && (filesystem.f_flags & ST_RDONLY) != 0 && root.st_ino == parent.st_ino &&
         root.st_dev == parent.st_dev;
}

}  // namespace jail::confine::view
