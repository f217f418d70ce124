/* What `jaild` asks about a process that speaks to it, or that it is to watch: one record a thread. */
#ifndef JAIL_BPF_TASK_H
#define JAIL_BPF_TASK_H

#include <linux/types.h>

enum jail_task_flag {
  JAIL_TASK_NOT_EXECUTED = 1,     /* forked, and has executed nothing since */
  JAIL_TASK_NO_NEW_PRIVILEGES = 2,
  JAIL_TASK_FILTERED = 4,         /* by seccomp */
  JAIL_TASK_IN_JAIL_GROUP = 8,    /* a control group above it, or its own, is a run's */
};

struct jail_task {
  __u32 process, thread; /* on the host */
  __u32 parent;          /* a process on the host */
  __u32 uid, euid;       /* on the host */
  __u32 flags;
  __u32 pid_space, pid_space_level, pid_in_space;
  __u32 user_space;
};

#ifdef __cplusplus
static_assert(sizeof(struct jail_task) == 40, "the layout of task.h");
#else
_Static_assert(sizeof(struct jail_task) == 40, "the layout of task.h");
#endif

#endif
