/* A call that asked for power which the kernel did not give, for want of a capability: told where the capability is
 * looked at. What the plugin's filter denies never gets there, and notification tells it. The kernel looks at
 * capabilities in many other calls, too, for room in memory even with each mmap(2): only these mean an attempt. */
#ifndef JAIL_BPF_PRIVILEGE_H
#define JAIL_BPF_PRIVILEGE_H

#include "record.h"

#define CALLS 512

static const __u8 asks_for_power[CALLS] = {
    [105] = 1, [106] = 1, [113] = 1, [114] = 1, [116] = 1, [117] = 1, [119] = 1, /* setuid and its like */
    [122] = 1, [123] = 1, [126] = 1,                                             /* setfsuid, setfsgid, capset */
    [101] = 1, [310] = 1, [311] = 1, [312] = 1, [438] = 1,                       /* ptrace and its like */
    [155] = 1, [161] = 1, [165] = 1, [166] = 1, [428] = 1, [429] = 1, [430] = 1, /* mount and its like */
    [431] = 1, [432] = 1, [433] = 1, [442] = 1, [467] = 1,
    [298] = 1, [321] = 1,                                                        /* perf_event_open, bpf */
    [175] = 1, [176] = 1, [313] = 1,                                             /* modules */
    [272] = 1, [308] = 1,                                                        /* unshare, setns */
    [248] = 1, [249] = 1, [250] = 1,                                             /* keys */
};

static __always_inline int tell_power(int capability) {
  struct pt_regs *regs = (void *)bpf_task_pt_regs(bpf_get_current_task_btf());
  __u64 number = regs->orig_ax;
  struct jail jail;
  if (number >= CALLS || !asks_for_power[number] || !find_jail(&jail, JAIL_WANT_PRIVILEGE)) return 0;
  struct jail_event event;
  fill(&event, &jail, JAIL_POWER);
  event.call = number;
  event.result = capability;
  put(&jail, &event, sizeof event);
  return 0;
}

#endif
