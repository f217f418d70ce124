/* What the programs of this folder tell the launcher: one record an event in the ring of the run, and one row a run in
 * the map `runs`. Plain C, read by both sides; the layout is asserted here and changes only with the version. */
#ifndef JAIL_BPF_EVENTS_H
#define JAIL_BPF_EVENTS_H

#include <linux/types.h>

#define JAIL_EVENTS_VERSION 1

/* PATH_MAX is 4096; a walk that is longer, or a name that is, is cut and says so. */
#define JAIL_PATH_BYTES 4096
#define JAIL_PATHS 2
#define JAIL_ARGUMENT_BYTES 4096
/* Of a walk: deeper than any path of PATH_MAX bytes that people make; beyond it, JAIL_TRUNCATED. */
#define JAIL_DEPTH 128
/* A wake-up costs more than an event: the reader looks by itself, unless so much waits for it. */
#define JAIL_WAKE_DIVISOR 4
/* So much of a ring is for what is not bulk: denials, programs, addresses. */
#define JAIL_RESERVE_DIVISOR 4

enum jail_kind {
  JAIL_EXEC = 1, /* text 0: where the program is, 1: what was asked for, 2: the arguments, each with its NUL */
  JAIL_EXIT, /* of the last thread of a process */
  JAIL_OPEN, /* a file was opened: text 0 is where it is */
  JAIL_FILE, /* a call that names files, by its number: text 0 the folder, text 1 the name; 2 and 3 of a second */
  JAIL_CONNECT,
  JAIL_BIND,
  JAIL_SEND,
  JAIL_FLOW,    /* a socket was closed: the other side in `address`, `type` is its protocol, `call` the port of its own;
                   text 0 is a jail_traffic */
  JAIL_CONNECT_UNIX, /* text 0: the name in the call */
  JAIL_POWER,   /* a capability, `result`, was wanted by a call and not there */
};

enum jail_flag {
  JAIL_TRUNCATED = 1,
  JAIL_DELETED = 2,
  JAIL_OUTSIDE = 4,    /* not below the root of the process: of a descriptor from elsewhere */
  JAIL_UNREADABLE = 8, /* a name in memory that could not be read */
  JAIL_PREDICTED = 16, /* told before the call was done */
  JAIL_ARGUMENTS_CUT = 32,
};

/* What a run wants to be told. */
enum jail_want {
  JAIL_WANT_PROCESS = 1,
  JAIL_WANT_NETWORK = 2,
  JAIL_WANT_CHANGES = 4, /* of files, and opening them for writing */
  JAIL_WANT_READS = 8,   /* opening for reading */
  JAIL_WANT_LOOKS = 16,  /* stat(2) and the like */
  JAIL_WANT_FAILED = 32, /* and all of these where the kernel said no */
  JAIL_WANT_PRIVILEGE = 64,
};

struct jail_address {
  __u16 family;
  __u16 port; /* host order */
  __u32 type; /* SOCK_* */
  __u8 bytes[16];
};

struct jail_place {
  __u64 inode;
  __u32 device; /* as the kernel has it: 12 bits major, 20 bits minor */
  __u32 mount;
  __u32 flags; /* of the open file, with those of the call that opened it */
  __u32 unused;
};

/* Of a call by its number; what the upper halves say, only pointers need. Of openat2 the third are its flags. */
struct jail_call {
  __u32 arguments[6];
};

struct jail_traffic {
  __u64 start_ns; /* CLOCK_BOOTTIME, of the first packet */
  __u64 bytes_sent, packets_sent, bytes_received, packets_received;
};

struct jail_event {
  __u64 time_ns; /* CLOCK_BOOTTIME */
  __u32 pid;     /* of the process, on the host */
  __u32 jail_pid;
  __u16 kind;
  __u16 flags;
  __u32 call; /* its number */
  __s32 result;
  __u32 parent; /* JAIL_EXEC: a process on the host */
  union {
    struct jail_place place;
    struct jail_address address;
    struct jail_call at_hand; /* JAIL_FILE, but of the hooks, which know none */
  };
  /* Of what follows: a walk is names, each with its NUL, from the file up to the root; a name is without NUL. */
  __u16 text[2 * JAIL_PATHS];
};

struct jail_run {
  __u64 lost; /* records that had no room */
  __u32 want; /* of jail_want */
  __u32 ring_bytes;
};

#ifdef __cplusplus
#define JAIL_LAYOUT(condition) static_assert(condition, "the layout of events.h")
#else
#define JAIL_LAYOUT(condition) _Static_assert(condition, "the layout of events.h")
#endif
JAIL_LAYOUT(sizeof(struct jail_address) == 24);
JAIL_LAYOUT(sizeof(struct jail_place) == 24);
JAIL_LAYOUT(sizeof(struct jail_call) == 24);
JAIL_LAYOUT(sizeof(struct jail_event) == 64);
JAIL_LAYOUT(__builtin_offsetof(struct jail_event, text) == 56);
JAIL_LAYOUT(sizeof(struct jail_traffic) == 40);
JAIL_LAYOUT(sizeof(struct jail_run) == 16);
#undef JAIL_LAYOUT

#endif
