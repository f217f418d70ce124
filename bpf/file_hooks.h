/* What the hooks of the security modules tell of files: 0 before the kernel does it, or the errno by which one of them
 * has denied it. */
#ifndef JAIL_BPF_FILE_HOOKS_H
#define JAIL_BPF_FILE_HOOKS_H

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

/* `name` in a folder, or the folder itself: null. `part`: 0, or 2 for the second of two. */
static __always_inline void append_place(struct draft *draft, struct vfsmount *mount, struct dentry *folder,
                                         struct dentry *name, int part) {
  walk_path(draft, mount, folder, part);
  if (name) append_name(draft, BPF_CORE_READ(name, d_name.name), FROM_KERNEL, part + 1);
}

static __always_inline struct draft *begin_change(struct jail *jail, int result) {
  if (!find_jail(jail, result ? JAIL_WANT_FAILED : JAIL_WANT_CHANGES)) return 0;
  struct draft *draft = take_draft(jail, JAIL_FILE);
  if (!draft) return 0;
  draft->event.call = call_at_hand();
  draft->event.result = result;
  draft->event.flags = result ? 0 : JAIL_PREDICTED;
  return draft;
}

static __always_inline int tell_change(const struct path *folder, struct dentry *name, int result) {
  struct jail jail;
  struct draft *draft = begin_change(&jail, result);
  if (!draft) return 0;
  append_place(draft, BPF_CORE_READ(folder, mnt), BPF_CORE_READ(folder, dentry), name, 0);
  put_draft(&jail, draft);
  return 0;
}

/* Of two names on one mount: `from` in its own folder, null: it is `from_folder` itself. */
static __always_inline int tell_two(const struct path *to_folder, struct dentry *from_folder, struct dentry *from,
                                    struct dentry *to, int result) {
  struct jail jail;
  struct draft *draft = begin_change(&jail, result);
  if (!draft) return 0;
  struct vfsmount *mount = BPF_CORE_READ(to_folder, mnt);
  append_place(draft, mount, from_folder, from, 0);
  append_place(draft, mount, BPF_CORE_READ(to_folder, dentry), to, 2);
  put_draft(&jail, draft);
  return 0;
}

static __always_inline int tell_symlink(const struct path *folder, struct dentry *name, const char *text, int result) {
  struct jail jail;
  struct draft *draft = begin_change(&jail, result);
  if (!draft) return 0;
  append_name(draft, text, FROM_KERNEL, 1);
  append_place(draft, BPF_CORE_READ(folder, mnt), BPF_CORE_READ(folder, dentry), name, 2);
  put_draft(&jail, draft);
  return 0;
}

static __always_inline int tell_open(struct file *file, __u32 flags, int result) {
  struct jail jail;
  __u32 want = flags & O_CHANGES ? JAIL_WANT_CHANGES : JAIL_WANT_READS;
  if (!find_jail(&jail, result ? JAIL_WANT_FAILED : want)) return 0;
  struct draft *draft = take_draft(&jail, JAIL_OPEN);
  if (!draft) return 0;
  draft->event.call = call_at_hand();
  draft->event.result = result;
  walk_file(draft, file, 0);
  put_draft(&jail, draft);
  return 0;
}

#endif
