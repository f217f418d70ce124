/* How every program finds the run of the process at hand and puts a record into its ring.
 *
 * A run is known by the pid namespace of its jail: nobody in it can make another, and whoever is not in it is a
 * stranger, who costs one look into `runs`. Records are put together in one of a few places of the processor's own: a
 * program may be preempted by another's on the same one. */
#ifndef JAIL_BPF_RECORD_H
#define JAIL_BPF_RECORD_H

#include "events.h"
#include "kernel.h"

#define MAX_RUNS 4096
#define DRAFTS 4 /* at once, on one processor */
#define TEXT_BYTES (2 * JAIL_PATHS * JAIL_PATH_BYTES)
#define NAME_BYTES 256 /* NAME_MAX and a NUL */

struct ring {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 4096);
};

/* Many of the kernel's functions are for such programs only. */
static const char terms[] SEC("license") __attribute__((used)) = "Dual BSD/GPL";

/* Each object has these maps; the launcher makes one of each and gives it to all. */
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, MAX_RUNS);
  __type(key, __u32);
  __type(value, struct jail_run);
} runs SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH_OF_MAPS);
  __uint(max_entries, MAX_RUNS);
  __type(key, __u32);
  __array(values, struct ring);
} rings SEC(".maps");

struct draft {
  struct jail_event event;
  char text[TEXT_BYTES + JAIL_PATH_BYTES]; /* the verifier wants room for one more behind the last offset */
  /* Of the text so far. Here and not on the stack, where the verifier would follow each value it can have. */
  __u32 offset;
  __u32 end; /* of the walk at hand */
  __u32 busy;
};

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, DRAFTS);
  __type(key, __u32);
  __type(value, struct draft);
} drafts SEC(".maps");

struct jail {
  __u32 key;
  __u32 jail_pid;
  struct jail_run *run;
};

/* Of the process at hand, if it is a jail's. Pid 1 is not: it is our own. */
static __always_inline bool find_jail(struct jail *jail, __u32 want) {
  struct task_struct *task = bpf_get_current_task_btf();
  struct pid_namespace *space = task->nsproxy->pid_ns_for_children;
  jail->key = space->ns.inum;
  jail->run = bpf_map_lookup_elem(&runs, &jail->key);
  if (!jail->run || !(jail->run->want & want)) return 0;
  /* The namespace it is in, not the one it may have joined for its children. */
  struct pid *pid = 0; /* read, so that the verifier of Linux 6.1 lets us reckon with it */
  struct upid own;
  bpf_core_read(&pid, sizeof pid, &task->group_leader->thread_pid);
  void *numbers = (void *)pid + bpf_core_field_offset(struct pid, numbers);
  __u32 level = BPF_CORE_READ(pid, level);
  bpf_core_read(&own, sizeof own, numbers + level * bpf_core_type_size(struct upid));
  jail->jail_pid = own.nr;
  return own.ns == space && own.nr != 1;
}

static __always_inline void count_lost(const struct jail *jail) { __sync_fetch_and_add(&jail->run->lost, 1); }

static __always_inline void fill(struct jail_event *event, const struct jail *jail, __u16 kind) {
  __builtin_memset(event, 0, sizeof *event);
  event->time_ns = bpf_ktime_get_boot_ns();
  event->pid = bpf_get_current_pid_tgid() >> 32;
  event->jail_pid = jail->jail_pid;
  event->kind = kind;
}

/* What was allowed may come in floods; what was denied, and what starts and ends, shall not drown in them. */
static __always_inline bool is_bulk(const struct jail_event *event) {
  return (event->kind == JAIL_OPEN || event->kind == JAIL_FILE) && event->result >= 0;
}

/* `record` begins with the event. */
static __always_inline void put(const struct jail *jail, void *record, __u64 bytes) {
  void *ring = bpf_map_lookup_elem(&rings, &jail->key);
  if (!ring) return count_lost(jail);
  __u64 waiting = bpf_ringbuf_query(ring, BPF_RB_AVAIL_DATA), all = jail->run->ring_bytes;
  if (waiting > all - all / JAIL_RESERVE_DIVISOR && is_bulk(record)) return count_lost(jail);
  __u64 threshold = all / JAIL_WAKE_DIVISOR;
  bool wakes = waiting <= threshold && waiting + bytes > threshold; /* once: the reader takes all there is */
  if (bpf_ringbuf_output(ring, record, bytes, wakes ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP)) count_lost(jail);
}

static __always_inline struct draft *take_draft(const struct jail *jail, __u16 kind) {
  for (__u32 i = 0; i < DRAFTS; ++i) {
    __u32 index = i;
    struct draft *draft = bpf_map_lookup_elem(&drafts, &index);
    if (draft && __sync_val_compare_and_swap(&draft->busy, 0, 1) == 0) {
      fill(&draft->event, jail, kind);
      draft->offset = 0;
      return draft;
    }
  }
  count_lost(jail);
  return 0;
}

static __always_inline void put_draft(const struct jail *jail, struct draft *draft) {
  __u32 text_bytes = draft->offset;
  if (text_bytes > TEXT_BYTES) text_bytes = TEXT_BYTES;
  put(jail, draft, sizeof draft->event + text_bytes);
  __sync_lock_test_and_set(&draft->busy, 0);
}

#endif
