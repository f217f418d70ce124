/*
 * Talking to processes outside: signals and priorities (by number, by group: a process group reaches across pid
 * namespaces), System V and POSIX objects, keys of the operator's session, tracing, and other people's memory.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/keyctl.h>
#include <mqueue.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attack.h"

/* ---- signals */

static void kill_process(char **arguments) {
  verdict(kill((pid_t)number(need(arguments, 0)), (int)number(need(arguments, 1))), "kill");
}

static void kill_by_tgkill(char **arguments) {
  const long pid = number(need(arguments, 0));
  verdict(syscall(SYS_tgkill, pid, pid, SIGTERM), "tgkill");
}

static void kill_by_tkill(char **arguments) {
  verdict(syscall(SYS_tkill, number(need(arguments, 0)), SIGTERM), "tkill");
}

static void kill_by_queue(char **arguments) {
  siginfo_t info = {.si_code = SI_QUEUE};
  verdict(syscall(SYS_rt_sigqueueinfo, number(need(arguments, 0)), SIGTERM, &info), "rt_sigqueueinfo");
}

static void kill_by_pidfd(char **arguments) {
  const int fd = (int)syscall(434 /* pidfd_open */, number(need(arguments, 0)), 0);
  if (fd < 0) denied(errno, "pidfd_open");
  verdict(syscall(424 /* pidfd_send_signal */, fd, SIGTERM, NULL, 0), "pidfd_send_signal");
}

/* 0: the own process group; -1: everybody. It always reaches itself, so the host says who else died. */
static void kill_group(char **arguments) {
  signal(SIGTERM, SIG_IGN);
  const pid_t whom = (pid_t)number(need(arguments, 0));
  if (whom == -1 && geteuid() == 0) broken("as root this would end the whole machine");
  const long result = kill(whom, SIGTERM);
  usleep(100000);
  verdict(result, "the host must look who is left");
}

/* A descriptor's owner gets SIGIO from the kernel, not from us. */
static void signal_by_owner(char **arguments) {
  int pair[2];
  if (pipe(pair) != 0) broken("pipe: %m");
  if (fcntl(pair[0], F_SETOWN, (int)number(need(arguments, 0))) != 0) denied(errno, "F_SETOWN");
  fcntl(pair[0], F_SETSIG, SIGTERM);
  fcntl(pair[0], F_SETFL, O_ASYNC);
  verdict(write(pair[1], "x", 1), "SIGIO to a chosen process");
}

static void slow_down_group(char **arguments) {
  (void)arguments;
  verdict(setpriority(PRIO_PGRP, 0, 19), "the host must look at its own priority");
}

static void slow_down_user(char **arguments) {
  (void)arguments;
  verdict(setpriority(PRIO_USER, getuid(), 19), "the host must look at its own priority");
}

#define IOPRIO_WHO_PGRP 2
static void slow_down_io_of_group(char **arguments) {
  (void)arguments;
  verdict(syscall(SYS_ioprio_set, IOPRIO_WHO_PGRP, 0, 3 << 13 /* idle class */), "the host must look");
}

static void limit_process(char **arguments) {
  const struct rlimit none = {0, 0};
  verdict(prlimit((pid_t)number(need(arguments, 0)), RLIMIT_NOFILE, &none, NULL), "prlimit");
}

static void schedule_process(char **arguments) {
  const struct sched_param none = {0};
  verdict(sched_setscheduler((pid_t)number(need(arguments, 0)), SCHED_IDLE, &none), "sched_setscheduler");
}

/* ---- objects with names that are not paths */

static void sysv_object(char **arguments) {
  const char *kind = need(arguments, 0);
  const key_t key = (key_t)number(need(arguments, 1));
  if (strcmp(kind, "shm") == 0) {
    const int id = shmget(key, 0, 0);
    if (id < 0) denied(errno, "shmget");
    char *memory = shmat(id, NULL, SHM_RDONLY);
    if (memory == (void *)-1) denied(errno, "shmat");
    allowed("%.60s", memory);
  }
  if (strcmp(kind, "sem") == 0) verdict(semget(key, 0, 0), "semget");
  if (strcmp(kind, "msg") == 0) verdict(msgget(key, 0), "msgget");
  broken("no such object: %s", kind);
}

/* Identifiers are numbers: shmat needs no key. */
static void sysv_by_number(char **arguments) {
  char *memory = shmat((int)number(need(arguments, 0)), NULL, SHM_RDONLY);
  if (memory == (void *)-1) denied(errno, "shmat");
  allowed("%.60s", memory);
}

static void posix_queue(char **arguments) {
  const mqd_t queue = mq_open(need(arguments, 0), O_RDONLY | O_NONBLOCK);
  if (queue < 0) denied(errno, "mq_open");
  char text[8192];
  if (mq_receive(queue, text, sizeof text, NULL) < 0) denied(errno, "mq_receive");
  allowed("%.60s", text);
}

static void posix_memory(char **arguments) { give_away(shm_open(need(arguments, 0), O_RDONLY, 0)); }

/* ---- keys */

static void give_key(long serial) __attribute__((noreturn));
static void give_key(long serial) {
  char payload[120] = "";
  if (serial < 0) denied(errno, "no such key");
  const long length = syscall(SYS_keyctl, KEYCTL_READ, serial, payload, sizeof payload - 1);
  if (length < 0) denied(errno, "KEYCTL_READ of %ld", serial);
  allowed("%s", payload);
}

static void key_by_name(char **arguments) {
  give_key(syscall(SYS_keyctl, KEYCTL_SEARCH, KEY_SPEC_SESSION_KEYRING, "user", need(arguments, 0), 0));
}
static void key_by_serial(char **arguments) { give_key(number(need(arguments, 0))); }
static void key_by_request(char **arguments) {
  give_key(syscall(SYS_request_key, "user", need(arguments, 0), NULL, 0));
}
static void key_in_user_keyring(char **arguments) {
  give_key(syscall(SYS_keyctl, KEYCTL_SEARCH, KEY_SPEC_USER_KEYRING, "user", need(arguments, 0), 0));
}
static void own_key(char **arguments) {
  (void)arguments;
  verdict(syscall(SYS_add_key, "user", "jail-own", "x", 1, KEY_SPEC_PROCESS_KEYRING), "add_key");
}

/* ---- other people's memory */

static void trace(char **arguments) {
  const char *how = need(arguments, 0);
  const pid_t pid = (pid_t)number(need(arguments, 1));
  const int seize = strcmp(how, "seize") == 0;
  const long result = ptrace(seize ? PTRACE_SEIZE : PTRACE_ATTACH, pid, NULL, NULL);
  if (result == 0) {
    if (!seize) waitpid(pid, NULL, __WALL);
    ptrace(PTRACE_DETACH, pid, NULL, NULL);
    allowed("traced %d", pid);
  }
  denied(errno, "ptrace of %d", pid);
}

/* The stack's end holds the environment. Its address stands in the stat file of whoever may be traced. */
static void memory_by_file(char **arguments) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%s/mem", need(arguments, 0));
  const int fd = open(path, O_RDONLY);
  if (fd < 0) denied(errno, "%s", path);
  allowed("%s opened", path);
}

static void memory_by_call(char **arguments) {
  const pid_t pid = (pid_t)number(need(arguments, 0));
  char byte;
  const struct iovec here = {&byte, 1}, there = {(void *)number(need(arguments, 1)), 1};
  const ssize_t length = process_vm_readv(pid, &here, 1, &there, 1, 0);
  if (length < 0 && errno == EFAULT) allowed("permitted; the address is wrong");
  verdict(length, "process_vm_readv");
}

static void open_process(char **arguments) {
  verdict(syscall(434 /* pidfd_open */, number(need(arguments, 0)), 0), "pidfd_open");
}

const struct attack ipc_attacks[] = {
    {"kill", "PID SIGNAL", kill_process},
    {"tgkill", "PID", kill_by_tgkill},
    {"tkill", "PID", kill_by_tkill},
    {"sigqueue", "PID", kill_by_queue},
    {"pidfd-kill", "PID", kill_by_pidfd},
    {"kill-group", "0|-1|-PGRP: the host decides", kill_group},
    {"sigio", "PID: lets the kernel send the signal", signal_by_owner},
    {"renice-group", ": of the own process group; the host decides", slow_down_group},
    {"renice-user", ": of the own user; the host decides", slow_down_user},
    {"ionice-group", ": of the own process group; the host decides", slow_down_io_of_group},
    {"prlimit", "PID: takes its descriptors", limit_process},
    {"schedule", "PID: makes it idle", schedule_process},
    {"sysv", "shm|sem|msg KEY", sysv_object},
    {"sysv-number", "SHMID", sysv_by_number},
    {"mqueue", "NAME", posix_queue},
    {"shm-open", "NAME", posix_memory},
    {"key-by-name", "DESCRIPTION", key_by_name},
    {"key-by-serial", "SERIAL", key_by_serial},
    {"key-by-request", "DESCRIPTION", key_by_request},
    {"key-of-user", "DESCRIPTION", key_in_user_keyring},
    {"own-key", ": adds one", own_key},
    {"trace", "attach|seize PID", trace},
    {"mem-file", "PID: opens /proc/PID/mem", memory_by_file},
    {"mem-call", "PID ADDRESS: process_vm_readv", memory_by_call},
    {"pidfd-open", "PID", open_process},
    {NULL, NULL, NULL},
};
