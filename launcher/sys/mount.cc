#include "sys/mount.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/error.h"

// <sys/mount.h> and <linux/mount.h> cannot be included together before glibc 2.37.
extern "C" int umount2(const char* target, int flags) noexcept;

namespace jail::sys {
namespace {

constexpr int kDetach = 2;  // MNT_DETACH, umount2(2)

void set_attributes(int mount, const char* path, unsigned flags, const mount_attr& attributes, const char* subject) {
  check(::syscall(SYS_mount_setattr, mount, path, flags, &attributes, sizeof attributes), "mount_setattr", subject);
}

}  // namespace

Fd clone_tree(const Fd& at) {
  return Fd(static_cast<int>(
      check(::syscall(SYS_open_tree, at.get(), "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | AT_RECURSIVE),
            "open_tree")));
}

void forbid(const Fd& mount, MountForbids forbids, Depth depth) {
  mount_attr attributes{};
  attributes.attr_set = forbids;
  set_attributes(mount.get(), "", AT_EMPTY_PATH | (depth == Depth::WholeTree ? AT_RECURSIVE : 0U), attributes, "");
}

void make_private(const std::string& path) {
  constexpr std::uint64_t kPrivate = 1U << 18;  // MS_PRIVATE
  mount_attr attributes{};
  attributes.propagation = kPrivate;
  set_attributes(AT_FDCWD, path.c_str(), AT_RECURSIVE, attributes, path.c_str());
}

void attach(const Fd& mount, const Fd& target, const std::string& subject) {
  check(::syscall(SYS_move_mount, mount.get(), "", target.get(), "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH),
        "move_mount", subject);
}

void attach_at(const Fd& mount, const Fd& folder, const std::string& name) {
  check(::syscall(SYS_move_mount, mount.get(), "", folder.get(), name.c_str(), MOVE_MOUNT_F_EMPTY_PATH), "move_mount",
        name);
}

Fd new_filesystem(const char* type, std::initializer_list<MountOption> options, MountForbids forbids) {
  const Fd context(static_cast<int>(check(::syscall(SYS_fsopen, type, FSOPEN_CLOEXEC), "fsopen", type)));
  for (const auto& [key, value] : options) {
    const unsigned command = value.empty() ? FSCONFIG_SET_FLAG : FSCONFIG_SET_STRING;
    const char* text = value.empty() ? nullptr : value.c_str();
    check(::syscall(SYS_fsconfig, context.get(), command, key, text, 0), "fsconfig", std::string(type) + " " + key);
  }
  check(::syscall(SYS_fsconfig, context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0), "mount", type);
  return Fd(static_cast<int>(
      check(::syscall(SYS_fsmount, context.get(), FSMOUNT_CLOEXEC, static_cast<unsigned>(forbids)), "fsmount", type)));
}

void change_root(const Fd& new_root) {
  check(::fchdir(new_root.get()), "fchdir", "new root");
  check(::syscall(SYS_pivot_root, ".", "."), "pivot_root");
  check(::chdir("/"), "chdir", "/");
}

void detach_old_root() {
  check(::chdir("/"), "chdir", "/");
  check(umount2(".", kDetach), "umount", "old root");  // what lies on top there
}

}  // namespace jail::sys
