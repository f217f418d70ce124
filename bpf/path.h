/* Where a file is, as the process at hand would say it: the names from the file up to the root of the process, mount by
 * mount. The kernel's d_path() is at hand in few programs only; the walk is in all, and gives the same. */
#ifndef JAIL_BPF_PATH_H
#define JAIL_BPF_PATH_H

#include "record.h"

struct walk {
  struct draft *draft;
  struct dentry *dentry, *root;
  struct vfsmount *mount, *root_mount;
};

enum step { ON = 0, STOP = 1 };

static __always_inline long stop(struct walk *walk, __u16 flags) {
  walk->draft->event.flags |= flags;
  walk->draft->end = 0;
  return STOP;
}

/* One name, or one mount, up. */
static long step(__u32 index, struct walk *walk) {
  struct dentry *dentry = walk->dentry;
  struct vfsmount *vfsmount = walk->mount;
  struct draft *draft = walk->draft;
  if (dentry == walk->root && vfsmount == walk->root_mount) return stop(walk, 0);
  if (dentry == BPF_CORE_READ(vfsmount, mnt_root)) {
    struct mount *mount = (void *)vfsmount - bpf_core_field_offset(struct mount, mnt);
    struct mount *above = BPF_CORE_READ(mount, mnt_parent);
    if (above == mount) return stop(walk, JAIL_OUTSIDE);
    walk->dentry = BPF_CORE_READ(mount, mnt_mountpoint);
    walk->mount = (void *)above + bpf_core_field_offset(struct mount, mnt);
    return ON;
  }
  struct dentry *parent = BPF_CORE_READ(dentry, d_parent);
  if (parent == dentry) return stop(walk, JAIL_OUTSIDE);
  __u32 offset = draft->offset;
  if (offset > TEXT_BYTES || offset > draft->end) return stop(walk, JAIL_TRUNCATED);
  long size = bpf_probe_read_kernel_str(&draft->text[offset], NAME_BYTES, BPF_CORE_READ(dentry, d_name.name));
  if (size > 0) draft->offset = offset + size;
  walk->dentry = parent;
  return ON;
}

/* `part`: which of event.text is told the size. */
static __always_inline void walk_path(struct draft *draft, struct vfsmount *mount, struct dentry *dentry, int part) {
  struct task_struct *task = (void *)bpf_get_current_task();
  struct walk walk = {.draft = draft,
                      .dentry = dentry,
                      .root = BPF_CORE_READ(task, fs, root.dentry),
                      .mount = mount,
                      .root_mount = BPF_CORE_READ(task, fs, root.mnt)};
  __u32 start = draft->offset;
  draft->end = start + JAIL_PATH_BYTES - NAME_BYTES;
  bpf_loop(JAIL_DEPTH, step, &walk, 0);
  if (draft->end != 0) draft->event.flags |= JAIL_TRUNCATED;
  if (!BPF_CORE_READ(dentry, d_hash.pprev) && BPF_CORE_READ(dentry, d_parent) != dentry)
    draft->event.flags |= JAIL_DELETED;
  draft->event.text[part] = draft->offset - start;
}

static __always_inline void tell_inode(struct jail_place *place, struct vfsmount *mount, struct dentry *dentry) {
  struct mount *whole = (void *)mount - bpf_core_field_offset(struct mount, mnt);
  place->inode = BPF_CORE_READ(dentry, d_inode, i_ino);
  place->device = BPF_CORE_READ(dentry, d_inode, i_sb, s_dev);
  place->mount = BPF_CORE_READ(whole, mnt_id);
}

static __always_inline void walk_file(struct draft *draft, struct file *file, int part) {
  struct vfsmount *mount = BPF_CORE_READ(file, f_path.mnt);
  struct dentry *dentry = BPF_CORE_READ(file, f_path.dentry);
  tell_inode(&draft->event.place, mount, dentry);
  draft->event.place.flags = BPF_CORE_READ(file, f_flags);
  walk_path(draft, mount, dentry, part);
}

enum name_from { FROM_USER, FROM_KERNEL };

/* A string without its NUL. */
static __always_inline void append_name(struct draft *draft, const void *name, enum name_from from, int part) {
  __u32 offset = draft->offset;
  if (offset > TEXT_BYTES) return;
  char *to = &draft->text[offset];
  long size = from == FROM_USER ? bpf_probe_read_user_str(to, JAIL_PATH_BYTES, name)
                                : bpf_probe_read_kernel_str(to, JAIL_PATH_BYTES, name);
  if (size < 1) {
    draft->event.flags |= JAIL_UNREADABLE;
    return;
  }
  if (size == JAIL_PATH_BYTES) draft->event.flags |= JAIL_TRUNCATED;
  draft->event.text[part] = size - 1;
  draft->offset = offset + size - 1;
}

#endif
