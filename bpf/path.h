/* Where a file is, as the process at hand would say it: the names from the file up to the root of the process, mount by
 * mount. The kernel's d_path() is at hand in few programs only; the walk is in all, and gives the same. */
#ifndef JAIL_BPF_PATH_H
#define JAIL_BPF_PATH_H

#include "record.h"

/* What is used of a name and of a mount. Each lies together in every kernel that we know, and is then read at once: to
 * ask for a field costs more than to read ten. */
struct node {
  struct hlist_bl_node hash;
  struct dentry *parent;
  struct qstr_at {
    __u64 length;
    const void *text;
  } name;
  struct inode *inode;
};
struct mounted {
  struct mount *above;
  struct dentry *on, *root;
};

static __always_inline void read_node(struct node *node, struct dentry *dentry) {
  const __u32 start = bpf_core_field_offset(struct dentry, d_hash);
  if (bpf_core_field_offset(struct dentry, d_parent) == start + __builtin_offsetof(struct node, parent) &&
      bpf_core_field_offset(struct dentry, d_name.name) == start + __builtin_offsetof(struct node, name.text) &&
      bpf_core_field_offset(struct dentry, d_inode) == start + __builtin_offsetof(struct node, inode)) {
    bpf_probe_read_kernel(node, sizeof *node, (void *)dentry + start);
    return;
  }
  node->hash.pprev = BPF_CORE_READ(dentry, d_hash.pprev);
  node->parent = BPF_CORE_READ(dentry, d_parent);
  node->name.text = BPF_CORE_READ(dentry, d_name.name);
  node->inode = BPF_CORE_READ(dentry, d_inode);
}

static __always_inline struct mount *mount_of(struct vfsmount *mount) {
  return (void *)mount - bpf_core_field_offset(struct mount, mnt);
}

static __always_inline void read_mount(struct mounted *mounted, struct mount *mount) {
  const __u32 start = bpf_core_field_offset(struct mount, mnt_parent);
  if (bpf_core_field_offset(struct mount, mnt_mountpoint) == start + __builtin_offsetof(struct mounted, on) &&
      bpf_core_field_offset(struct mount, mnt.mnt_root) == start + __builtin_offsetof(struct mounted, root)) {
    bpf_probe_read_kernel(mounted, sizeof *mounted, (void *)mount + start);
    return;
  }
  mounted->above = BPF_CORE_READ(mount, mnt_parent);
  mounted->on = BPF_CORE_READ(mount, mnt_mountpoint);
  mounted->root = BPF_CORE_READ(mount, mnt.mnt_root);
}

struct walk {
  struct draft *draft;
  struct dentry *dentry, *root;
  struct mount *mount, *root_mount;
  struct mounted here; /* of `mount` */
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
  struct draft *draft = walk->draft;
  if (dentry == walk->root && walk->mount == walk->root_mount) return stop(walk, 0);
  if (dentry == walk->here.root) {
    struct mount *above = walk->here.above;
    if (above == walk->mount) return stop(walk, JAIL_OUTSIDE);
    walk->dentry = walk->here.on;
    walk->mount = above;
    read_mount(&walk->here, above);
    return ON;
  }
  struct node node;
  read_node(&node, dentry);
  if (node.parent == dentry) return stop(walk, JAIL_OUTSIDE);
  if (index == 0 && !node.hash.pprev) draft->event.flags |= JAIL_DELETED;
  __u32 offset = draft->offset;
  if (offset > TEXT_BYTES || offset > draft->end) return stop(walk, JAIL_TRUNCATED);
  long size = bpf_probe_read_kernel_str(&draft->text[offset], NAME_BYTES, node.name.text);
  if (size > 0) draft->offset = offset + size;
  walk->dentry = node.parent;
  return ON;
}

/* `part`: which of event.text is told the size. */
static __always_inline void walk_path(struct draft *draft, struct vfsmount *mount, struct dentry *dentry, int part) {
  struct fs_struct *own = bpf_get_current_task_btf()->fs;
  struct walk walk = {.draft = draft,
                      .dentry = dentry,
                      .root = own->root.dentry,
                      .mount = mount_of(mount),
                      .root_mount = mount_of(own->root.mnt)};
  read_mount(&walk.here, walk.mount);
  __u32 start = draft->offset;
  draft->end = start + JAIL_PATH_BYTES - NAME_BYTES;
  bpf_loop(JAIL_DEPTH, step, &walk, 0);
  if (draft->end != 0) draft->event.flags |= JAIL_TRUNCATED;
  draft->event.text[part] = draft->offset - start;
}

static __always_inline void tell_inode(struct jail_place *place, struct vfsmount *mount, struct inode *inode) {
  place->inode = BPF_CORE_READ(inode, i_ino);
  place->device = BPF_CORE_READ(inode, i_sb, s_dev);
  place->mount = BPF_CORE_READ(mount_of(mount), mnt_id);
}

static __always_inline void walk_file(struct draft *draft, struct file *file, int part) {
  struct path path;
  struct node node;
  bpf_core_read(&path, sizeof path, &file->f_path);
  read_node(&node, path.dentry);
  tell_inode(&draft->event.place, path.mnt, node.inode);
  draft->event.place.flags = BPF_CORE_READ(file, f_flags);
  walk_path(draft, path.mnt, path.dentry, part);
}

enum name_from { FROM_USER, FROM_KERNEL };

/* A string without its NUL. */
static __always_inline void append_name(struct draft *draft, const void *name, enum name_from from, int part) {
  __u32 offset = draft->offset;
  if (offset > TEXT_BYTES) return;
  char *to = &draft->text[offset];
  long size = from == FROM_USER ? bpf_probe_read_user_str(to, JAIL_PATH_BYTES, name)
                                : bpf_probe_read_kernel_str(to, JAIL_PATH_BYTES, name);
  if (size < 0) draft->event.flags |= JAIL_UNREADABLE;
  if (size < 1) return; /* 0: nothing but a NUL (6.1, 6.12) */
  if (size == JAIL_PATH_BYTES) draft->event.flags |= JAIL_TRUNCATED;
  draft->event.text[part] = size - 1;
  draft->offset = offset + size - 1;
}

#endif
