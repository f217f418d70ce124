/* A process as the kernel has it, for a reader that has its pidfd and no right to ptrace it: /proc would ask for that,
 * and goes by numbers. */
#include "kernel.h"
#include "task.h"

#define FORKED_NOT_EXECUTED 0x40 /* PF_FORKNOEXEC */
#define NO_NEW_PRIVILEGES 1      /* 1 << PFA_NO_NEW_PRIVS */
#define MOST_GROUPS 64           /* one below the other */
#define GROUP_PREFIX "jail-"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

typedef struct {
  unsigned int val;
} kuid_t;
struct user_namespace {
  struct ns_common ns;
};
struct cred {
  kuid_t uid, euid;
  struct user_namespace *user_ns;
};
struct seccomp {
  int mode;
};
struct kernfs_node {
  const char *name;
};
struct cgroup {
  int level;
  struct kernfs_node *kn;
  struct cgroup *ancestors[];
};
struct css_set {
  struct cgroup *dfl_cgrp;
};
struct task_struct___asked {
  pid_t pid, tgid;
  unsigned int flags;
  unsigned long atomic_flags;
  struct task_struct *real_parent, *group_leader;
  const struct cred *real_cred;
  struct seccomp seccomp;
  struct css_set *cgroups;
};
struct seq_file;
struct bpf_iter_meta {
  struct seq_file *seq;
};
struct bpf_iter__task {
  struct bpf_iter_meta *meta;
  struct task_struct *task;
};

#pragma clang attribute pop

static const char terms[] SEC("license") __attribute__((used)) = "Dual BSD/GPL";

static __always_inline void find_space(struct jail_task *found, struct task_struct *task) {
  struct pid *pid = BPF_CORE_READ(task, group_leader, thread_pid);
  found->pid_space_level = BPF_CORE_READ(pid, level);
  void *at = (void *)pid + bpf_core_field_offset(struct pid, numbers) +
             found->pid_space_level * bpf_core_type_size(struct upid);
  found->pid_space = BPF_CORE_READ((struct upid *)at, ns, ns.inum);
  found->pid_in_space = BPF_CORE_READ((struct upid *)at, nr);
}

static __always_inline bool is_of_a_run(struct cgroup *group) {
  char name[sizeof GROUP_PREFIX] = {};
  bpf_probe_read_kernel_str(name, sizeof name, BPF_CORE_READ(group, kn, name));
  return name[0] == 'j' && name[1] == 'a' && name[2] == 'i' && name[3] == 'l' && name[4] == '-';
}

static __always_inline bool is_in_jail_group(struct task_struct___asked *task) {
  struct cgroup *own = BPF_CORE_READ(task, cgroups, dfl_cgrp);
  int level = BPF_CORE_READ(own, level);
  if (level >= MOST_GROUPS) return 1; /* nobody knows */
  for (int i = 0; i < MOST_GROUPS && i <= level; ++i)
    if (is_of_a_run(BPF_CORE_READ(own, ancestors[i]))) return 1;
  return 0;
}

SEC("iter/task")
int look_at_task(struct bpf_iter__task *context) {
  struct task_struct *given = context->task;
  if (!given) return 0;
  struct task_struct___asked *task = (void *)given;
  struct jail_task found = {};
  found.process = BPF_CORE_READ(task, tgid);
  found.thread = BPF_CORE_READ(task, pid);
  found.parent = BPF_CORE_READ(task, real_parent, tgid);
  found.uid = BPF_CORE_READ(task, real_cred, uid.val);
  found.euid = BPF_CORE_READ(task, real_cred, euid.val);
  found.user_space = BPF_CORE_READ(task, real_cred, user_ns, ns.inum);
  find_space(&found, given);
  if (BPF_CORE_READ(task, flags) & FORKED_NOT_EXECUTED) found.flags |= JAIL_TASK_NOT_EXECUTED;
  if (BPF_CORE_READ(task, atomic_flags) & NO_NEW_PRIVILEGES) found.flags |= JAIL_TASK_NO_NEW_PRIVILEGES;
  if (BPF_CORE_READ(task, seccomp.mode)) found.flags |= JAIL_TASK_FILTERED;
  if (is_in_jail_group(task)) found.flags |= JAIL_TASK_IN_JAIL_GROUP;
  bpf_seq_write(context->meta->seq, &found, sizeof found);
  return 0;
}
