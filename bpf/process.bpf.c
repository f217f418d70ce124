/* What runs and what ends: the scheduler's tracepoints, which cost nobody anything between the two. */
#include "path.h"

char terms[] SEC("license") = "Dual BSD/GPL";

SEC("tp_btf/sched_process_exec")
int BPF_PROG(process_exec, struct task_struct *task, pid_t old_pid, struct linux_binprm *binary) {
  struct jail jail;
  if (!find_jail(&jail, JAIL_WANT_PROCESS)) return 0;
  struct draft *draft = take_draft(&jail, JAIL_EXEC);
  if (!draft) return 0;
  draft->event.parent = BPF_CORE_READ(task, real_parent, tgid);
  walk_file(draft, BPF_CORE_READ(binary, file), 0);
  append_name(draft, BPF_CORE_READ(binary, filename), FROM_KERNEL, 1);
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
