// The mount API by descriptors: open_tree(2), move_mount(2), fsopen(2) (Linux 5.2), mount_setattr(2) (Linux 5.12).
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <utility>

#include "base/fd.h"

namespace jail::sys {

// What a mount forbids; a set of MOUNT_ATTR_* bits (mount_setattr(2)).
enum MountForbids : std::uint64_t {
  kForbidsNothing = 0,
  kForbidsWriting = 0x01,
  kForbidsSetuid = 0x02,
  kForbidsDevices = 0x04,
  kForbidsPrograms = 0x08,
};
constexpr MountForbids operator|(MountForbids a, MountForbids b) {
  return static_cast<MountForbids>(static_cast<std::uint64_t>(a) | static_cast<std::uint64_t>(b));
}

enum class Depth { OneMount, WholeTree };

// A detached copy of the mount tree at `at` (an O_PATH descriptor in the caller's own mount namespace: EINVAL else).
Fd clone_tree(const Fd& at);

// Adds to what the mount forbids; never takes away (locked flags cannot be lifted in a user namespace anyway).
void forbid(const Fd& mount, MountForbids forbids, Depth depth);

// Cuts every mount below `path` off from the peers it would receive mounts from.
void make_private(const std::string& path);

// Attaches a detached mount on top of `target`, an O_PATH descriptor: no path is looked up again.
void attach(const Fd& mount, const Fd& target, const std::string& subject);

// The same by name below a folder, for places where nobody else can put a link.
void attach_at(const Fd& mount, const Fd& folder, const std::string& name);

using MountOption = std::pair<const char*, std::string>;
// A new detached file system, for example tmpfs with {"size", "64M"}. An option without a value is a flag.
Fd new_filesystem(const char* type, std::initializer_list<MountOption> options, MountForbids forbids);

// Makes `new_root` the root of every process of the mount namespace whose root the old one was, and the working folder
// of this one. The old root lies on top of it, out of every path's way, until detach_old_root() (pivot_root(2), both on
// one folder).
void change_root(const Fd& new_root);
// By any process of the namespace. Some 0.3 ms: the kernel waits until nobody can be looking at it.
void detach_old_root();

}  // namespace jail::sys
