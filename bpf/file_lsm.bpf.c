/* Files by the hooks that the kernel asks before it does a thing: costs other processes little, sees an open by
 * whatever way, and nothing that has failed before a hook was asked (no such file, the file's own mode, Landlock) or
 * that has no hook (O_PATH, stat). A hook other than that of open comes before the last checks: what it tells is
 * predicted. */
#include "path.h"

#define O_CHANGES 01103 /* O_WRONLY, O_RDWR, O_CREAT, O_TRUNC */
#define FOR_EXEC 040    /* f_flags of the kernel's own open of a program, __FMODE_EXEC */
#define BEHIND (1U << 29 | 1U << 25) /* f_mode, FMODE_NOACCOUNT and FMODE_BACKING: what an overlay opens for itself */

enum call { OPEN = 2, CREAT = 85, OPENAT = 257, OPENAT2 = 437 };

static __always_inline __u32 call_at_hand(void) {
  struct pt_regs *regs = (void *)bpf_task_pt_regs(bpf_get_current_task_btf());
  return BPF_CORE_READ(regs, orig_ax);
}

/* Of which the hook of the open itself tells what it makes and empties. */
static __always_inline bool is_open(void) {
  __u32 call = call_at_hand();
  return call == OPEN || call == CREAT || call == OPENAT || call == OPENAT2;
}

SEC("lsm/file_open")
int BPF_PROG(file_open, struct file *file, int before) {
  struct jail jail;
  __u32 flags = BPF_CORE_READ(file, f_flags);
  if (before != 0 || flags & FOR_EXEC || BPF_CORE_READ(file, f_mode) & BEHIND) return before;
  if (!find_jail(&jail, flags & O_CHANGES ? JAIL_WANT_CHANGES : JAIL_WANT_READS)) return 0;
  struct draft *draft = take_draft(&jail, JAIL_OPEN);
  if (!draft) return 0;
  draft->event.call = call_at_hand();
  walk_file(draft, file, 0);
  put_draft(&jail, draft);
  return 0;
}

/* `name` in a folder, or the folder itself: null. `part`: 0, or 2 for the second of two. */
static __always_inline void append_place(struct draft *draft, struct vfsmount *mount, struct dentry *folder,
                                         struct dentry *name, int part) {
  walk_path(draft, mount, folder, part);
  if (name) append_name(draft, BPF_CORE_READ(name, d_name.name), FROM_KERNEL, part + 1);
}

static __always_inline struct draft *begin_change(struct jail *jail) {
  if (!find_jail(jail, JAIL_WANT_CHANGES)) return 0;
  struct draft *draft = take_draft(jail, JAIL_FILE);
  if (!draft) return 0;
  draft->event.call = call_at_hand();
  draft->event.flags = JAIL_PREDICTED;
  return draft;
}

static __always_inline int tell_change(const struct path *folder, struct dentry *name) {
  struct jail jail;
  struct draft *draft = begin_change(&jail);
  if (!draft) return 0;
  append_place(draft, BPF_CORE_READ(folder, mnt), BPF_CORE_READ(folder, dentry), name, 0);
  put_draft(&jail, draft);
  return 0;
}

/* Of two names on one mount: `from` in its own folder, null: it is `from_folder` itself. */
static __always_inline int tell_two(const struct path *to_folder, struct dentry *from_folder, struct dentry *from,
                                    struct dentry *to) {
  struct jail jail;
  struct draft *draft = begin_change(&jail);
  if (!draft) return 0;
  struct vfsmount *mount = BPF_CORE_READ(to_folder, mnt);
  append_place(draft, mount, from_folder, from, 0);
  append_place(draft, mount, BPF_CORE_READ(to_folder, dentry), to, 2);
  put_draft(&jail, draft);
  return 0;
}

SEC("lsm/path_unlink")
int BPF_PROG(file_unlink, const struct path *folder, struct dentry *name, int before) {
  return before ? before : tell_change(folder, name);
}

SEC("lsm/path_rmdir")
int BPF_PROG(file_rmdir, const struct path *folder, struct dentry *name, int before) {
  return before ? before : tell_change(folder, name);
}

SEC("lsm/path_mkdir")
int BPF_PROG(file_mkdir, const struct path *folder, struct dentry *name, unsigned short mode, int before) {
  return before ? before : tell_change(folder, name);
}

SEC("lsm/path_mknod")
int BPF_PROG(file_mknod, const struct path *folder, struct dentry *name, unsigned short mode, unsigned int device,
             int before) {
  return before || is_open() ? before : tell_change(folder, name);
}

SEC("lsm/path_symlink")
int BPF_PROG(file_symlink, const struct path *folder, struct dentry *name, const char *text, int before) {
  if (before) return before;
  struct jail jail;
  struct draft *draft = begin_change(&jail);
  if (!draft) return 0;
  append_name(draft, text, FROM_KERNEL, 1);
  append_place(draft, BPF_CORE_READ(folder, mnt), BPF_CORE_READ(folder, dentry), name, 2);
  put_draft(&jail, draft);
  return 0;
}

SEC("lsm/path_link")
int BPF_PROG(file_link, struct dentry *target, const struct path *folder, struct dentry *name, int before) {
  return before ? before : tell_two(folder, target, 0, name);
}

SEC("lsm/path_rename")
int BPF_PROG(file_rename, const struct path *folder, struct dentry *name, const struct path *second_folder,
             struct dentry *second, unsigned int flags, int before) {
  return before ? before : tell_two(second_folder, BPF_CORE_READ(folder, dentry), name, second);
}

SEC("lsm/path_truncate")
int BPF_PROG(file_truncate, const struct path *path, int before) {
  return before || is_open() ? before : tell_change(path, 0);
}

SEC("lsm/path_chmod")
int BPF_PROG(file_chmod, const struct path *path, unsigned short mode, int before) {
  return before ? before : tell_change(path, 0);
}

SEC("lsm/path_chown")
int BPF_PROG(file_chown, const struct path *path, unsigned int user, unsigned int group, int before) {
  return before ? before : tell_change(path, 0);
}
