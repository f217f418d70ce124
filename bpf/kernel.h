/* The kernel's structures, as far as they are read: the names count, the offsets are found when the programs are loaded
 * (CO-RE). Source: Linux 6.1 to 7.2. */
#ifndef JAIL_BPF_KERNEL_H
#define JAIL_BPF_KERNEL_H

#include <linux/bpf.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

typedef int pid_t;
typedef _Bool bool;

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct qstr {
  const unsigned char *name;
};
struct hlist_bl_node {
  struct hlist_bl_node *next, **pprev;
};
struct super_block {
  __u32 s_dev;
};
struct inode {
  unsigned long i_ino;
  struct super_block *i_sb;
};
struct dentry {
  struct hlist_bl_node d_hash;
  struct dentry *d_parent;
  struct qstr d_name;
  struct inode *d_inode;
};
struct vfsmount {
  struct dentry *mnt_root;
};
struct mount {
  struct mount *mnt_parent;
  struct dentry *mnt_mountpoint;
  struct vfsmount mnt;
  int mnt_id;
};
struct path {
  struct vfsmount *mnt;
  struct dentry *dentry;
};
struct file {
  unsigned int f_flags, f_mode;
  struct inode *f_inode;
  struct path f_path;
};
struct fdtable {
  unsigned int max_fds;
  struct file **fd;
};
struct files_struct {
  struct fdtable *fdt;
};
struct fs_struct {
  struct path root, pwd;
};
struct ns_common {
  unsigned int inum;
};
struct pid_namespace {
  struct ns_common ns;
};
struct nsproxy {
  struct pid_namespace *pid_ns_for_children;
};
struct upid {
  int nr;
  struct pid_namespace *ns;
};
struct pid {
  unsigned int level;
  struct upid numbers[1];
};
typedef struct {
  int counter;
} atomic_t;
struct signal_struct {
  atomic_t live;
};
struct mm_struct {
  unsigned long arg_start, arg_end;
};
struct thread_info {
  unsigned int status;
};
struct task_struct {
  struct thread_info thread_info;
  int exit_code;
  pid_t tgid;
  struct task_struct *real_parent, *group_leader;
  struct pid *thread_pid;
  struct signal_struct *signal;
  struct nsproxy *nsproxy;
  struct files_struct *files;
  struct fs_struct *fs;
  struct mm_struct *mm;
};
struct linux_binprm {
  struct file *file;
  const char *filename;
};
struct pt_regs {
  unsigned long di, si, dx, r10, r8, r9, orig_ax;
};

#pragma clang attribute pop

#endif
