/* Files by the end of each system call: works on every kernel, sees also what failed, and costs every process of the
 * host 0.1 to 0.3 us a call. What was opened is read from the table of descriptors; what else a call names is told as
 * the folder it starts from and the name it was given. */
#include "path.h"

#define AT_FDCWD (-100)
#define O_CHANGES 01101 /* O_WRONLY, O_CREAT, O_TRUNC */
#define O_RDWR 02
#define TS_COMPAT 2 /* thread_info.status: called by the i386 table, which has other numbers */
#define CALLS 512
#define CREAT 85
#define OPENAT2 437

#define NONE 7
enum what { NO_CALL, OPEN, CHANGE, LOOK, START };

/* Which arguments name files; NONE: the folder at hand. */
struct call {
  __u8 what, folder, name, second_folder, second_name, flags;
};

#define PLAIN(what, name) {what, NONE, name, NONE, NONE, NONE}
#define BELOW(what, folder, name) {what, folder, name, NONE, NONE, NONE}
#define ITSELF(what, file) {what, file, NONE, NONE, NONE, NONE}

static const struct call calls[CALLS] = {
    [2] = {OPEN, NONE, 0, NONE, NONE, 1}, /* open */
    [CREAT] = PLAIN(OPEN, 0),                /* creat */
    [257] = {OPEN, 0, 1, NONE, NONE, 2},  /* openat */
    [OPENAT2] = BELOW(OPEN, 0, 1),            /* openat2 */
    [76] = PLAIN(CHANGE, 0),              /* truncate */
    [82] = {CHANGE, NONE, 0, NONE, 1, NONE}, /* rename */
    [264] = {CHANGE, 0, 1, 2, 3, NONE},      /* renameat */
    [316] = {CHANGE, 0, 1, 2, 3, NONE},      /* renameat2 */
    [86] = {CHANGE, NONE, 0, NONE, 1, NONE}, /* link */
    [265] = {CHANGE, 0, 1, 2, 3, NONE},      /* linkat */
    [88] = {CHANGE, NONE, 0, NONE, 1, NONE}, /* symlink */
    [266] = {CHANGE, NONE, 0, 1, 2, NONE},   /* symlinkat */
    [83] = PLAIN(CHANGE, 0),      /* mkdir */
    [84] = PLAIN(CHANGE, 0),      /* rmdir */
    [87] = PLAIN(CHANGE, 0),      /* unlink */
    [90] = PLAIN(CHANGE, 0),      /* chmod */
    [92] = PLAIN(CHANGE, 0),      /* chown */
    [94] = PLAIN(CHANGE, 0),      /* lchown */
    [132] = PLAIN(CHANGE, 0),     /* utime */
    [133] = PLAIN(CHANGE, 0),     /* mknod */
    [188] = PLAIN(CHANGE, 0),     /* setxattr */
    [189] = PLAIN(CHANGE, 0),     /* lsetxattr */
    [197] = PLAIN(CHANGE, 0),     /* removexattr */
    [198] = PLAIN(CHANGE, 0),     /* lremovexattr */
    [235] = PLAIN(CHANGE, 0),     /* utimes */
    [258] = BELOW(CHANGE, 0, 1),  /* mkdirat */
    [259] = BELOW(CHANGE, 0, 1),  /* mknodat */
    [260] = BELOW(CHANGE, 0, 1),  /* fchownat */
    [261] = BELOW(CHANGE, 0, 1),  /* futimesat */
    [263] = BELOW(CHANGE, 0, 1),  /* unlinkat */
    [268] = BELOW(CHANGE, 0, 1),  /* fchmodat */
    [280] = BELOW(CHANGE, 0, 1),  /* utimensat */
    [452] = BELOW(CHANGE, 0, 1),  /* fchmodat2 */
    [463] = BELOW(CHANGE, 0, 1),  /* setxattrat */
    [466] = BELOW(CHANGE, 0, 1),  /* removexattrat */
    [469] = BELOW(CHANGE, 0, 1),  /* file_setattr */
    [77] = ITSELF(CHANGE, 0),     /* ftruncate */
    [91] = ITSELF(CHANGE, 0),     /* fchmod */
    [93] = ITSELF(CHANGE, 0),     /* fchown */
    [190] = ITSELF(CHANGE, 0),    /* fsetxattr */
    [199] = ITSELF(CHANGE, 0),    /* fremovexattr */
    [285] = ITSELF(CHANGE, 0),    /* fallocate */
    [4] = PLAIN(LOOK, 0),         /* stat */
    [6] = PLAIN(LOOK, 0),         /* lstat */
    [21] = PLAIN(LOOK, 0),        /* access */
    [89] = PLAIN(LOOK, 0),        /* readlink */
    [262] = BELOW(LOOK, 0, 1),    /* newfstatat */
    [267] = BELOW(LOOK, 0, 1),    /* readlinkat */
    [269] = BELOW(LOOK, 0, 1),    /* faccessat */
    [332] = BELOW(LOOK, 0, 1),    /* statx */
    [439] = BELOW(LOOK, 0, 1),    /* faccessat2 */
    [80] = PLAIN(LOOK, 0),        /* chdir */
    [137] = PLAIN(LOOK, 0),       /* statfs */
    [191] = PLAIN(LOOK, 0),       /* getxattr */
    [192] = PLAIN(LOOK, 0),       /* lgetxattr */
    [194] = PLAIN(LOOK, 0),       /* listxattr */
    [195] = PLAIN(LOOK, 0),       /* llistxattr */
    [254] = PLAIN(LOOK, 1),       /* inotify_add_watch */
    [464] = BELOW(LOOK, 0, 1),    /* getxattrat */
    [465] = BELOW(LOOK, 0, 1),    /* listxattrat */
    [468] = BELOW(LOOK, 0, 1),    /* file_getattr */
    [59] = PLAIN(START, 0),       /* execve: what succeeded is a process.exec */
    [322] = BELOW(START, 0, 1),   /* execveat */
};

static __always_inline unsigned long argument(struct pt_regs *regs, __u8 index) {
  switch (index) {
    case 0: return regs->di;
    case 1: return regs->si;
    case 2: return regs->dx;
    case 3: return regs->r10;
    default: return regs->r8;
  }
}

static __always_inline struct file *file_of(int descriptor) {
  struct fdtable *table = bpf_get_current_task_btf()->files->fdt;
  struct file *file = 0;
  if (descriptor < 0 || (__u32)descriptor >= table->max_fds) return 0;
  bpf_probe_read_kernel(&file, sizeof file, table->fd + descriptor);
  return file;
}

/* The folder that a relative name starts from. */
static __always_inline void walk_folder(struct draft *draft, int descriptor, int part) {
  if (descriptor == AT_FDCWD) {
    struct fs_struct *own = bpf_get_current_task_btf()->fs;
    walk_path(draft, own->pwd.mnt, own->pwd.dentry, part);
    return;
  }
  struct file *folder = file_of(descriptor);
  if (folder) walk_path(draft, BPF_CORE_READ(folder, f_path.mnt), BPF_CORE_READ(folder, f_path.dentry), part);
  else draft->event.flags |= JAIL_UNREADABLE;
}

/* Folder and name; of an absolute name the folder says nothing, and without a name it is the file that is meant. */
static __always_inline void append_named(struct draft *draft, struct pt_regs *regs, __u8 folder, __u8 name, int part) {
  const void *at = name == NONE ? 0 : (const void *)argument(regs, name);
  char first = 0;
  if (at) bpf_probe_read_user(&first, sizeof first, at);
  if (first != '/') walk_folder(draft, folder == NONE ? AT_FDCWD : (int)argument(regs, folder), part);
  if (at || folder == NONE) append_name(draft, at, FROM_USER, part + 1);
}

/* As fstat(2) is made of newfstatat(2): of a file that is open. Most looks are that. */
static __always_inline bool looks_at_descriptor(const struct call *call, struct pt_regs *regs) {
  char first = 0;
  if (call->what != LOOK || call->folder == NONE) return 0;
  return bpf_probe_read_user(&first, sizeof first, (void *)argument(regs, call->name)) || !first;
}

static __always_inline __u32 wanted_by(__u64 flags) {
  return flags & (O_CHANGES | O_RDWR) ? JAIL_WANT_CHANGES : JAIL_WANT_READS;
}

/* Before anything is looked at. */
static __always_inline __u32 wanted_for(const struct call *call, struct pt_regs *regs, long result) {
  if (result < 0) return JAIL_WANT_FAILED;
  if (call->what == LOOK) return JAIL_WANT_LOOKS;
  if (call->what != OPEN) return JAIL_WANT_CHANGES;
  return call->flags == NONE ? JAIL_WANT_CHANGES | JAIL_WANT_READS : wanted_by(argument(regs, call->flags));
}

/* What it opened says itself how. */
static __always_inline void tell_opened(struct jail *jail, const struct call *call, struct pt_regs *regs, long result) {
  struct file *file = file_of(result);
  if (!file) return count_lost(jail);
  __u32 flags = BPF_CORE_READ(file, f_flags); /* without what was for the open alone: O_CREAT, O_TRUNC */
  if (call->flags != NONE) flags |= argument(regs, call->flags);
  if (regs->orig_ax == CREAT) flags |= O_CHANGES;
  if (!(jail->run->want & wanted_by(flags))) return;
  struct draft *draft = take_draft(jail, JAIL_OPEN);
  if (!draft) return;
  draft->event.call = regs->orig_ax;
  walk_file(draft, file, 0);
  draft->event.place.flags = flags;
  put_draft(jail, draft);
}

static __always_inline void tell_arguments(struct jail_call *call, struct pt_regs *regs) {
  call->arguments[0] = regs->di;
  call->arguments[1] = regs->si;
  call->arguments[2] = regs->dx;
  call->arguments[3] = regs->r10;
  call->arguments[4] = regs->r8;
  call->arguments[5] = regs->r9;
  if (regs->orig_ax == OPENAT2) bpf_probe_read_user(&call->arguments[2], sizeof(__u32), (void *)regs->dx);
}

static __always_inline void tell_named(struct jail *jail, const struct call *call, struct pt_regs *regs, long result) {
  if (looks_at_descriptor(call, regs)) return;
  struct draft *draft = take_draft(jail, JAIL_FILE);
  if (!draft) return;
  draft->event.call = regs->orig_ax;
  draft->event.result = result;
  tell_arguments(&draft->event.at_hand, regs);
  append_named(draft, regs, call->folder, call->name, 0);
  if (call->second_name != NONE) append_named(draft, regs, call->second_folder, call->second_name, 2);
  put_draft(jail, draft);
}

SEC("tp_btf/sys_exit")
int BPF_PROG(file_exit, struct pt_regs *regs, long result) {
  __u64 number = regs->orig_ax; /* not 32 bits of it: the verifier would lose what was checked */
  if (number >= CALLS) return 0;
  const struct call *call = &calls[number];
  if (call->what == NO_CALL || (call->what == START && result >= 0)) return 0;
  struct jail jail;
  if (!find_jail(&jail, wanted_for(call, regs, result))) return 0;
  struct task_struct *task = bpf_get_current_task_btf();
  if (task->thread_info.status & TS_COMPAT) return 0;
  if (call->what == OPEN && result >= 0) tell_opened(&jail, call, regs, result);
  else tell_named(&jail, call, regs, result);
  return 0;
}
