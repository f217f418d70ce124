/* Files by the hooks that the kernel asks before it does a thing: costs other processes little, sees an open by whatever
 * way, and nothing that has failed before a hook was asked (no such file, the file's own mode, Landlock) or that has no
 * hook (O_PATH, stat). A hook other than that of open comes before the last checks: what it tells is predicted. */
#include "path.h"

#define O_CHANGES 01103 /* O_WRONLY, O_RDWR, O_CREAT, O_TRUNC */
#define FOR_EXEC 040    /* f_flags of the kernel's own open of a program, __FMODE_EXEC */

static __always_inline __u32 call_at_hand(void) {
  struct pt_regs *regs = (void *)bpf_task_pt_regs(bpf_get_current_task_btf());
  return BPF_CORE_READ(regs, orig_ax);
}

SEC("lsm/file_open")
int BPF_PROG(file_open, struct file *file, int before) {
  struct jail jail;
  __u32 flags = BPF_CORE_READ(file, f_flags);
  if (before != 0 || flags & FOR_EXEC) return before;
  if (!find_jail(&jail, flags & O_CHANGES ? JAIL_WANT_CHANGES : JAIL_WANT_READS)) return 0;
  struct draft *draft = take_draft(&jail, JAIL_OPEN);
  if (!draft) return 0;
  draft->event.call = call_at_hand();
  walk_file(draft, file, 0);
  put_draft(&jail, draft);
  return 0;
}

/* A name in a folder, and a second one; null: there is none. */
static __always_inline int tell_change(const struct path *folder, struct dentry *name, const struct path *second_folder,
                                       struct dentry *second, const char *text) {
  struct jail jail;
  if (!find_jail(&jail, JAIL_WANT_CHANGES)) return 0;
  struct draft *draft = take_draft(&jail, JAIL_FILE);
  if (!draft) return 0;
  draft->event.call = call_at_hand();
  draft->event.flags = JAIL_PREDICTED;
  struct vfsmount *mount = BPF_CORE_READ(folder, mnt);
  walk_path(draft, mount, BPF_CORE_READ(folder, dentry), 0);
  if (name) append_name(draft, BPF_CORE_READ(name, d_name.name), FROM_KERNEL, 1);
  if (second_folder) {
    walk_path(draft, BPF_CORE_READ(second_folder, mnt), BPF_CORE_READ(second_folder, dentry), 2);
    append_name(draft, BPF_CORE_READ(second, d_name.name), FROM_KERNEL, 3);
  }
  if (text) append_name(draft, text, FROM_KERNEL, 3);
  put_draft(&jail, draft);
  return 0;
}

SEC("lsm/path_unlink")
int BPF_PROG(file_unlink, const struct path *folder, struct dentry *name, int before) {
  return before ? before : tell_change(folder, name, 0, 0, 0);
}

SEC("lsm/path_rmdir")
int BPF_PROG(file_rmdir, const struct path *folder, struct dentry *name, int before) {
  return before ? before : tell_change(folder, name, 0, 0, 0);
}

SEC("lsm/path_mkdir")
int BPF_PROG(file_mkdir, const struct path *folder, struct dentry *name, unsigned short mode, int before) {
  return before ? before : tell_change(folder, name, 0, 0, 0);
}

SEC("lsm/path_mknod")
int BPF_PROG(file_mknod, const struct path *folder, struct dentry *name, unsigned short mode, unsigned int device,
             int before) {
  return before ? before : tell_change(folder, name, 0, 0, 0);
}

SEC("lsm/path_symlink")
int BPF_PROG(file_symlink, const struct path *folder, struct dentry *name, const char *text, int before) {
  return before ? before : tell_change(folder, name, 0, 0, text);
}

SEC("lsm/path_rename")
int BPF_PROG(file_rename, const struct path *folder, struct dentry *name, const struct path *second_folder,
             struct dentry *second, unsigned int flags, int before) {
  return before ? before : tell_change(folder, name, second_folder, second, 0);
}

SEC("lsm/path_truncate")
int BPF_PROG(file_truncate, const struct path *path, int before) {
  return before ? before : tell_change(path, 0, 0, 0, 0);
}

SEC("lsm/path_chmod")
int BPF_PROG(file_chmod, const struct path *path, unsigned short mode, int before) {
  return before ? before : tell_change(path, 0, 0, 0, 0);
}

SEC("lsm/path_chown")
int BPF_PROG(file_chown, const struct path *path, unsigned int user, unsigned int group, int before) {
  return before ? before : tell_change(path, 0, 0, 0, 0);
}
