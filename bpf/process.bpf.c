/* What runs and what ends: the scheduler's tracepoints, which cost nobody anything between the two. */
#include "path.h"

/* As the new program finds them, each with its NUL. */
static __always_inline void append_arguments(struct draft *draft, struct task_struct *task, int part) {
  unsigned long start = BPF_CORE_READ(task, mm, arg_start), end = BPF_CORE_READ(task, mm, arg_end);
  __u32 offset = draft->offset;
  if (end <= start || offset > TEXT_BYTES) return;
  __u64 size = end - start;
  if (size > JAIL_ARGUMENT_BYTES) {
    size = JAIL_ARGUMENT_BYTES;
    draft->event.flags |= JAIL_ARGUMENTS_CUT;
  }
  if (bpf_probe_read_user(&draft->text[offset], size, (void *)start)) return;
  draft->event.text[part] = size;
  draft->offset = offset + size;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(process_exec, struct task_struct *task, pid_t old_pid, struct linux_binprm *binary) {
  struct jail jail;
  if (!find_jail(&jail, JAIL_WANT_PROCESS)) return 0;
  struct draft *draft = take_draft(&jail, JAIL_EXEC);
  if (!draft) return 0;
  draft->event.parent = BPF_CORE_READ(task, real_parent, tgid);
  walk_file(draft, BPF_CORE_READ(binary, file), 0);
  append_name(draft, BPF_CORE_READ(binary, filename), FROM_KERNEL, 1);
  append_arguments(draft, task, 2);
  put_draft(&jail, draft);
  return 0;
}

/* The last thread's: how the process ended is told by its first (wait(2)). */
SEC("tp_btf/sched_process_exit")
int BPF_PROG(process_exit, struct task_struct *task) {
  struct jail jail;
  if (BPF_CORE_READ(task, signal, live.counter) != 0) return 0;
  if (!find_jail(&jail, JAIL_WANT_PROCESS)) return 0;
  struct jail_event event;
  fill(&event, &jail, JAIL_EXIT);
  event.result = BPF_CORE_READ(task, group_leader, exit_code);
  put(&jail, &event, sizeof event);
  return 0;
}
