/* Files by the hooks that the kernel asks before it does a thing: costs other processes little, sees an open by
 * whatever way, and nothing that has failed before a hook was asked (no such file, the file's own mode, Landlock) or
 * that has no hook (O_PATH, stat). A hook other than that of open comes before the last checks: what it tells is
 * predicted. */
#include "file_hooks.h"

SEC("lsm/file_open")
int BPF_PROG(file_open, struct file *file, int before) {
  __u32 flags = BPF_CORE_READ(file, f_flags);
  if (before != 0 || flags & FOR_EXEC || BPF_CORE_READ(file, f_mode) & BEHIND) return before;
  return tell_open(file, flags, 0);
}

SEC("lsm/path_unlink")
int BPF_PROG(file_unlink, const struct path *folder, struct dentry *name, int before) {
  return before ? before : tell_change(folder, name, 0);
}

SEC("lsm/path_rmdir")
int BPF_PROG(file_rmdir, const struct path *folder, struct dentry *name, int before) {
  return before ? before : tell_change(folder, name, 0);
}

SEC("lsm/path_mkdir")
int BPF_PROG(file_mkdir, const struct path *folder, struct dentry *name, unsigned short mode, int before) {
  return before ? before : tell_change(folder, name, 0);
}

SEC("lsm/path_mknod")
int BPF_PROG(file_mknod, const struct path *folder, struct dentry *name, unsigned short mode, unsigned int device,
             int before) {
  return before || is_open() ? before : tell_change(folder, name, 0);
}

SEC("lsm/path_symlink")
int BPF_PROG(file_symlink, const struct path *folder, struct dentry *name, const char *text, int before) {
  return before ? before : tell_symlink(folder, name, text, 0);
}

SEC("lsm/path_link")
int BPF_PROG(file_link, struct dentry *target, const struct path *folder, struct dentry *name, int before) {
  return before ? before : tell_two(folder, target, 0, name, 0);
}

SEC("lsm/path_rename")
int BPF_PROG(file_rename, const struct path *folder, struct dentry *name, const struct path *second_folder,
             struct dentry *second, unsigned int flags, int before) {
  return before ? before : tell_two(second_folder, BPF_CORE_READ(folder, dentry), name, second, 0);
}

SEC("lsm/path_truncate")
int BPF_PROG(file_truncate, const struct path *path, int before) {
  return before || is_open() ? before : tell_change(path, 0, 0);
}

SEC("lsm/path_chmod")
int BPF_PROG(file_chmod, const struct path *path, unsigned short mode, int before) {
  return before ? before : tell_change(path, 0, 0);
}

SEC("lsm/path_chown")
int BPF_PROG(file_chown, const struct path *path, unsigned int user, unsigned int group, int before) {
  return before ? before : tell_change(path, 0, 0);
}
