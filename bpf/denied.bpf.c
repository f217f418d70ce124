/* What a security module has denied, Landlock too, which is asked before the programs of file_lsm: the end of the
 * kernel's own question to all of them. Errno is known, not which of them it was. */
#include <bpf/bpf_endian.h>

#include "file_hooks.h"

#define AF_INET 2
#define AF_INET6 10

struct sockaddr {
  unsigned short sa_family;
} __attribute__((preserve_access_index));
struct linux_address {
  __u16 family, port;
  __u32 flow_or_address4;
  __u8 address6[16];
};

SEC("fexit/security_file_open")
int BPF_PROG(denied_open, struct file *file, int result) {
  if (result >= 0 || BPF_CORE_READ(file, f_mode) & BEHIND) return 0;
  __u32 flags = BPF_CORE_READ(file, f_flags);
  if (flags & FOR_EXEC) return tell_change(&file->f_path, 0, result);
  return tell_open(file, flags, result);
}

SEC("fexit/security_bprm_check")
int BPF_PROG(denied_exec, struct linux_binprm *binary, int result) {
  if (result >= 0) return 0;
  struct file *file = binary->file;
  return tell_change(&file->f_path, 0, result);
}

SEC("fexit/security_path_unlink")
int BPF_PROG(denied_unlink, const struct path *folder, struct dentry *name, int result) {
  return result < 0 ? tell_change(folder, name, result) : 0;
}

SEC("fexit/security_path_rmdir")
int BPF_PROG(denied_rmdir, const struct path *folder, struct dentry *name, int result) {
  return result < 0 ? tell_change(folder, name, result) : 0;
}

SEC("fexit/security_path_mkdir")
int BPF_PROG(denied_mkdir, const struct path *folder, struct dentry *name, unsigned short mode, int result) {
  return result < 0 ? tell_change(folder, name, result) : 0;
}

SEC("fexit/security_path_mknod")
int BPF_PROG(denied_mknod, const struct path *folder, struct dentry *name, unsigned short mode, unsigned int device,
             int result) {
  return result < 0 ? tell_change(folder, name, result) : 0;
}

SEC("fexit/security_path_symlink")
int BPF_PROG(denied_symlink, const struct path *folder, struct dentry *name, const char *text, int result) {
  return result < 0 ? tell_symlink(folder, name, text, result) : 0;
}

SEC("fexit/security_path_link")
int BPF_PROG(denied_link, struct dentry *target, const struct path *folder, struct dentry *name, int result) {
  return result < 0 ? tell_two(folder, target, 0, name, result) : 0;
}

SEC("fexit/security_path_rename")
int BPF_PROG(denied_rename, const struct path *folder, struct dentry *name, const struct path *second_folder,
             struct dentry *second, unsigned int flags, int result) {
  return result < 0 ? tell_two(second_folder, BPF_CORE_READ(folder, dentry), name, second, result) : 0;
}

SEC("fexit/security_path_truncate")
int BPF_PROG(denied_truncate, const struct path *path, int result) {
  return result < 0 ? tell_change(path, 0, result) : 0;
}

static __always_inline int tell_address(struct sockaddr *asked, int size, __u16 kind, int result) {
  struct jail jail;
  if (result >= 0 || !find_jail(&jail, JAIL_WANT_FAILED)) return 0;
  struct linux_address address = {};
  bpf_probe_read_kernel(&address, sizeof address, asked);
  bool is_whole = address.family == AF_INET ? size >= 16 : address.family == AF_INET6 && size >= 24;
  if (!is_whole) return 0;
  struct jail_event event;
  fill(&event, &jail, kind);
  event.result = result;
  event.address.family = address.family;
  event.address.port = bpf_ntohs(address.port);
  if (address.family == AF_INET) __builtin_memcpy(event.address.bytes, &address.flow_or_address4, 4);
  else __builtin_memcpy(event.address.bytes, address.address6, sizeof address.address6);
  put(&jail, &event, sizeof event);
  return 0;
}

SEC("fexit/security_socket_connect")
int BPF_PROG(denied_connect, void *socket, struct sockaddr *address, int size, int result) {
  return tell_address(address, size, JAIL_CONNECT, result);
}

SEC("fexit/security_socket_bind")
int BPF_PROG(denied_bind, void *socket, struct sockaddr *address, int size, int result) {
  return tell_address(address, size, JAIL_BIND, result);
}
