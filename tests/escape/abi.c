/*
 * The system-call ABI: other doors into the kernel than the one a filter looks at. Foreign calling conventions (x32,
 * i386), calls that do the work of a filtered one (clone3, io_uring), numbers newer than the filter, and arguments of
 * which the kernel reads 32 bits where a filter may compare 64 (CVE-2019-10063).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/io_uring.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attack.h"

#define NOWHERE ((void *)-1L) /* a pointer that no call can read: EFAULT says that the call was reached */

/* ---- one call, with arguments that can do no harm where it is permitted */

struct harmless_call {
  const char *name;
  long number;
  long arguments[6];
};

#define BAD (-1L)
static const struct harmless_call harmless_calls[] = {
    {"acct", SYS_acct, {BAD}},
    {"add_key", SYS_add_key, {BAD, BAD, BAD, 1, 0}},
    {"bpf", SYS_bpf, {BAD, 0, 0}},
    {"chroot", SYS_chroot, {BAD}},
    {"clock_adjtime", SYS_clock_adjtime, {0, BAD}},
    {"clock_settime", SYS_clock_settime, {0, BAD}},
    {"delete_module", SYS_delete_module, {BAD, 0}},
    {"fanotify_init", SYS_fanotify_init, {BAD, 0}},
    {"finit_module", SYS_finit_module, {BAD, BAD, 0}},
    {"fsconfig", 431, {BAD, 0, 0, 0, 0}},
    {"fsmount", 432, {BAD, 0, 0}},
    {"fsopen", 430, {BAD, 0}},
    {"fspick", 433, {BAD, BAD, 0}},
    {"init_module", SYS_init_module, {BAD, 1, BAD}},
    {"io_uring_enter", 426, {BAD, 0, 0, 0, 0, 0}},
    {"io_uring_register", 427, {BAD, 0, 0, 0}},
    {"io_uring_setup", 425, {1, BAD}},
    {"ioperm", SYS_ioperm, {BAD, 1, 1}},
    {"iopl", SYS_iopl, {4}},
    {"kcmp", SYS_kcmp, {BAD, BAD, 0, 0, 0}},
    {"kexec_file_load", SYS_kexec_file_load, {BAD, BAD, 0, 0, BAD}},
    {"kexec_load", SYS_kexec_load, {0, 1 << 20, BAD, BAD}},
    {"keyctl", SYS_keyctl, {BAD, 0, 0, 0, 0}},
    {"mount", SYS_mount, {BAD, BAD, BAD, 0, BAD}},
    {"mount_setattr", 442, {BAD, BAD, BAD, BAD, 32}},
    {"move_mount", 429, {BAD, BAD, BAD, BAD, 0}},
    {"name_to_handle_at", SYS_name_to_handle_at, {BAD, BAD, BAD, BAD, 0}},
    {"open_by_handle_at", SYS_open_by_handle_at, {BAD, BAD, 0}},
    {"open_tree", 428, {BAD, BAD, 1}},
    {"perf_event_open", SYS_perf_event_open, {BAD, 0, BAD, BAD, 0}},
    {"pidfd_getfd", 438, {BAD, 0, 0}},
    {"pivot_root", SYS_pivot_root, {BAD, BAD}},
    {"process_madvise", 440, {BAD, BAD, 1, 0, 0}},
    {"process_vm_readv", SYS_process_vm_readv, {BAD, 0, 0, 0, 0, 1}},
    {"process_vm_writev", SYS_process_vm_writev, {BAD, 0, 0, 0, 0, 1}},
    {"quotactl", SYS_quotactl, {BAD, BAD, 0, 0}},
    {"quotactl_fd", 443, {BAD, 0, 0, 0}},
    {"reboot", SYS_reboot, {BAD, BAD, BAD, BAD}},
    {"request_key", SYS_request_key, {BAD, BAD, BAD, 0}},
    {"setdomainname", SYS_setdomainname, {BAD, 1}},
    {"sethostname", SYS_sethostname, {BAD, 1}},
    {"setns", SYS_setns, {BAD, 0}},
    {"settimeofday", SYS_settimeofday, {BAD, 0}},
    {"swapoff", SYS_swapoff, {BAD}},
    {"swapon", SYS_swapon, {BAD, 0}},
    {"syslog", SYS_syslog, {BAD, 0, 0}},
    {"umount2", SYS_umount2, {BAD, 0}},
    {"unshare", SYS_unshare, {BAD}},
    {"userfaultfd", SYS_userfaultfd, {BAD}},
    {NULL, 0, {0}},
};

static void call(char **arguments) {
  const char *name = need(arguments, 0);
  const struct harmless_call *it = harmless_calls;
  while (it->name && strcmp(it->name, name) != 0) it++;
  if (!it->name) broken("no such call: %s", name);
  const long *a = it->arguments;
  const long result = syscall(it->number, a[0], a[1], a[2], a[3], a[4], a[5]);
  if (result < 0 && (errno == EPERM || errno == ENOSYS || errno == EACCES)) denied(errno, "%s", name);
  allowed("%s was reached: %s", name, result < 0 ? strerrorname_np(errno) : "it succeeded");
}

static void numbers(char **arguments) {
  const long first = number(need(arguments, 0)), last = number(need(arguments, 1));
  for (long nr = first; nr <= last; nr++)
    if (syscall(nr, BAD, BAD, BAD, BAD, BAD, BAD) >= 0 || errno != ENOSYS)
      allowed("number %ld answers %s", nr, strerrorname_np(errno));
  denied(ENOSYS, "%ld to %ld", first, last);
}

/* ---- foreign calling conventions */

static long i386_call(long nr, long a, long b, long c) {
  long result;
  __asm__ volatile("int $0x80" : "=a"(result) : "a"(nr), "b"(a), "c"(b), "d"(c) : "memory", "r8", "r9", "r10", "r11");
  if (result < 0 && result > -4096) {
    errno = (int)-result;
    return -1;
  }
  return result;
}

/* The i386 entry takes 32-bit pointers: the program is linked at a low address and this stays in .bss. */
static char low_path[4096];

static void int80_open(char **arguments) {
  if ((uintptr_t)low_path >> 32) broken("linked at a high address");
  strncpy(low_path, need(arguments, 0), sizeof low_path - 1);
  const long fd = i386_call(5 /* open */, (long)low_path, O_RDONLY, 0);
  if (fd < 0) denied(errno, "open through int 0x80");
  char byte;
  if (i386_call(3 /* read */, fd, (long)low_path, 1) < 0 || read((int)fd, &byte, 1) < 0) denied(errno, "read");
  allowed("read through int 0x80");
}

static void int80_call(char **arguments) {
  const long nr = number(need(arguments, 0)), first = number(need(arguments, 1));
  verdict(i386_call(nr, first, 0, 0), "int 0x80");
}

#define X32_BIT 0x40000000L
static void x32_open(char **arguments) { give_away((int)syscall(X32_BIT | SYS_open, need(arguments, 0), O_RDONLY)); }
static void x32_call(char **arguments) {
  verdict(syscall(X32_BIT | number(need(arguments, 0)), number(need(arguments, 1)), 0, 0), "x32 call");
}

/* ---- namespaces */

struct namespace_flag {
  const char *name;
  unsigned long flag;
};
static const struct namespace_flag namespace_flags[] = {
    {"user", CLONE_NEWUSER}, {"mount", CLONE_NEWNS}, {"pid", CLONE_NEWPID},       {"net", CLONE_NEWNET},
    {"ipc", CLONE_NEWIPC},   {"uts", CLONE_NEWUTS},  {"cgroup", CLONE_NEWCGROUP}, {"time", 0x80 /* CLONE_NEWTIME */},
};

/* "user+mount" -> CLONE_NEWUSER | CLONE_NEWNS */
static unsigned long flags_of(const char *list) {
  unsigned long flags = 0;
  char copy[128];
  snprintf(copy, sizeof copy, "%s", list);
  for (char *rest = copy, *name; (name = strsep(&rest, "+"));)
    for (size_t i = 0; i < sizeof namespace_flags / sizeof *namespace_flags; i++)
      if (strcmp(name, namespace_flags[i].name) == 0) flags |= namespace_flags[i].flag;
  if (!flags) broken("no namespace in %s", list);
  return flags;
}

static void child_verdict(long child, const char *what) __attribute__((noreturn));
static void child_verdict(long child, const char *what) {
  if (child == 0) _exit(0);
  if (child < 0) denied(errno, "%s", what);
  waitpid((pid_t)child, NULL, __WALL);
  allowed("%s", what);
}

static void unshare_flags(char **arguments) {
  const char *list = need(arguments, 0);
  verdict(syscall(SYS_unshare, flags_of(list)), list);
}

static void clone_flags(char **arguments) {
  const char *list = need(arguments, 0);
  child_verdict(syscall(SYS_clone, flags_of(list) | SIGCHLD, 0, 0, 0, 0), list);
}

static void clone3_flags(char **arguments) {
  const char *list = need(arguments, 0);
  struct clone_args how = {.flags = flags_of(list), .exit_signal = SIGCHLD};
  child_verdict(syscall(435, &how, sizeof how), list);
}

static void join_namespace(char **arguments) {
  (void)arguments;
  const pid_t child = fork();
  if (child == 0) {
    unshare(CLONE_NEWUSER);
    pause();
  }
  usleep(50000);
  const int fd = (int)syscall(434 /* pidfd_open */, child, 0);
  const long result = setns(fd, CLONE_NEWUSER);
  const int error = errno;
  kill(child, SIGKILL);
  errno = error;
  verdict(result, "setns into a child's user namespace");
}

/* ---- more bits than the kernel reads */

#define HIGH 0x100000000L
static void high_bits(char **arguments) {
  const char *what = need(arguments, 0);
  if (strcmp(what, "clone") == 0) child_verdict(syscall(SYS_clone, HIGH | CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0), what);
  if (strcmp(what, "socket") == 0) verdict(syscall(SYS_socket, HIGH | AF_NETLINK, SOCK_RAW, 9 /* AUDIT */), what);
  if (strcmp(what, "socket-protocol") == 0)
    verdict(syscall(SYS_socket, AF_INET, SOCK_STREAM, HIGH | 262 /* MPTCP */), what);
  if (strcmp(what, "ioctl") == 0) {
    const long result = syscall(SYS_ioctl, 0, HIGH | TIOCSTI, "\n");
    if (result < 0 && errno == ENOTTY) allowed("TIOCSTI was reached");
    verdict(result, what);
  }
  if (strcmp(what, "memfd") == 0)
    verdict(syscall(SYS_memfd_create, "code", HIGH | MFD_CLOEXEC), what);
  broken("no such call: %s", what);
}

/* ---- io_uring: system calls that never pass the system-call entry */

struct ring {
  int fd;
  unsigned *tail, *array, mask;
  struct io_uring_sqe *entries;
  struct io_uring_cqe *completions;
  unsigned *completed;
};

static void *map_ring(int fd, size_t size, off_t where) {
  void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, where);
  if (memory == MAP_FAILED) denied(errno, "mmap of the ring");
  return memory;
}

static struct ring open_ring(unsigned flags) {
  struct io_uring_params how = {.flags = flags};
  struct ring ring = {.fd = (int)syscall(425, 4, &how)};
  if (ring.fd < 0) denied(errno, "io_uring_setup");
  char *queue = map_ring(ring.fd, how.sq_off.array + how.sq_entries * sizeof(unsigned), IORING_OFF_SQ_RING);
  char *done =
      map_ring(ring.fd, how.cq_off.cqes + how.cq_entries * sizeof(struct io_uring_cqe), IORING_OFF_CQ_RING);
  ring.entries = map_ring(ring.fd, how.sq_entries * sizeof(struct io_uring_sqe), IORING_OFF_SQES);
  ring.tail = (unsigned *)(queue + how.sq_off.tail);
  ring.array = (unsigned *)(queue + how.sq_off.array);
  ring.mask = *(unsigned *)(queue + how.sq_off.ring_mask);
  ring.completions = (struct io_uring_cqe *)(done + how.cq_off.cqes);
  ring.completed = (unsigned *)(done + how.cq_off.tail);
  return ring;
}

static int submit(struct ring *ring, struct io_uring_sqe entry) {
  const unsigned slot = *ring->tail & ring->mask;
  ring->entries[slot] = entry;
  ring->array[slot] = slot;
  __atomic_store_n(ring->tail, *ring->tail + 1, __ATOMIC_RELEASE);
  if (syscall(426, ring->fd, 1, 1, IORING_ENTER_GETEVENTS | IORING_ENTER_SQ_WAKEUP, NULL, 0) < 0)
    denied(errno, "io_uring_enter");
  for (int tries = 0; tries < 1000 && !__atomic_load_n(ring->completed, __ATOMIC_ACQUIRE); tries++) usleep(1000);
  const int result = ring->completions[0].res;
  if (result < 0) errno = -result;
  return result;
}

static void ring_open(char **arguments) {
  struct ring ring = open_ring(0);
  give_away(submit(&ring, (struct io_uring_sqe){.opcode = IORING_OP_OPENAT,
                                                .fd = AT_FDCWD,
                                                .addr = (uintptr_t)need(arguments, 0),
                                                .open_flags = O_RDONLY}));
}

static void ring_polled_open(char **arguments) {
  struct ring ring = open_ring(IORING_SETUP_SQPOLL);
  give_away(submit(&ring, (struct io_uring_sqe){.opcode = IORING_OP_OPENAT,
                                                .fd = AT_FDCWD,
                                                .addr = (uintptr_t)need(arguments, 0),
                                                .open_flags = O_RDONLY}));
}

#define OP_SOCKET 45 /* IORING_OP_SOCKET, Linux 5.19 */
static void ring_socket(char **arguments) {
  (void)arguments;
  struct ring ring = open_ring(0);
  verdict(submit(&ring, (struct io_uring_sqe){.opcode = OP_SOCKET, .fd = AF_UNIX, .off = SOCK_STREAM}), "socket");
}

static void ring_connect(char **arguments) {
  struct ring ring = open_ring(0);
  const struct sockaddr_in where = {.sin_family = AF_INET,
                                    .sin_port = htons((uint16_t)number(need(arguments, 0))),
                                    .sin_addr = {htonl(INADDR_LOOPBACK)}};
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  verdict(submit(&ring, (struct io_uring_sqe){.opcode = IORING_OP_CONNECT,
                                              .fd = fd,
                                              .addr = (uintptr_t)&where,
                                              .off = sizeof where}),
          "connect");
}

/* ---- the filter itself */

/* A second listener would let the plugin answer its own calls in the supervisor's place. */
static void own_listener(char **arguments) {
  (void)arguments;
  struct sock_filter code[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  struct sock_fprog program = {1, code};
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  verdict(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program), "listener");
}

static void leave_filter(char **arguments) {
  (void)arguments;
  if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_DISABLED, 0) == 0) allowed("prctl(PR_SET_SECCOMP, 0)");
  if (prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0) == 0) allowed("prctl(PR_SET_NO_NEW_PRIVS, 0)");
  denied(errno, "prctl");
}

const struct attack abi_attacks[] = {
    {"call", "NAME: the call is reached, whatever it then answers", call},
    {"numbers", "FIRST LAST: one of these numbers answers other than ENOSYS", numbers},
    {"int80-open", "PATH: reads it through the i386 entry", int80_open},
    {"int80-call", "NR ARG: the i386 call succeeds", int80_call},
    {"x32-open", "PATH: reads it through the x32 numbers", x32_open},
    {"x32-call", "NR ARG: the x32 call succeeds", x32_call},
    {"unshare", "NS[+NS]: makes new namespaces", unshare_flags},
    {"clone", "NS[+NS]: makes a child in new namespaces", clone_flags},
    {"clone3", "NS[+NS]: the same past a filter of clone", clone3_flags},
    {"setns", ": enters a namespace", join_namespace},
    {"high-bits", "CALL: passes a filter that compares 64 bits", high_bits},
    {"ring-open", "PATH: reads it through io_uring", ring_open},
    {"ring-polled-open", "PATH: the same, submitted by a kernel thread", ring_polled_open},
    {"ring-socket", ": makes a unix socket through io_uring", ring_socket},
    {"ring-connect", "PORT: connects to the loopback through io_uring", ring_connect},
    {"own-listener", ": becomes the supervisor of its own calls", own_listener},
    {"leave-filter", ": takes off the filter or no_new_privs", leave_filter},
    {NULL, NULL, NULL},
};
