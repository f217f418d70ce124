/*
 * Resources: each attack takes more and more of one thing until the kernel says no, up to a bound at which it gives up
 * and counts as allowed. The bounds lie far above the limits that the profiles state and far below what hurts a host.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attack.h"

/* A sudden end of the attacker must not leave its children behind on the host. */
static void sleep_as_child(void) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  pause();
  _exit(0);
}

static void kill_children(const pid_t *children, long count) {
  for (long i = 0; i < count; i++) kill(children[i], SIGKILL);
  while (wait(NULL) > 0) continue;
}

static void many_processes(char **arguments) {
  const long bound = number(need(arguments, 0));
  pid_t *children = calloc((size_t)bound, sizeof *children);
  for (long made = 0; made < bound; made++) {
    children[made] = fork();
    if (children[made] == 0) sleep_as_child();
    if (children[made] > 0) continue;
    const int error = errno;
    kill_children(children, made);
    denied(error, "after %ld processes", made);
  }
  kill_children(children, bound);
  allowed("%ld processes", bound);
}

/* codex#38909: each process makes the next and stays; nobody knows them all. The pipe's end tells how long it grew. */
static void fork_chain(char **arguments) {
  const long bound = number(need(arguments, 0));
  int report[2];
  if (pipe(report) != 0) broken("pipe: %m");
  const pid_t first = fork();
  if (first == 0) {
    setpgid(0, 0);
    for (long depth = 1;; depth++) {
      const pid_t next = depth < bound ? fork() : -1;
      if (next == 0) continue;
      const long outcome[2] = {depth, depth < bound && next < 0 ? errno : 0};
      if (next < 0 && write(report[1], outcome, sizeof outcome) < 0) _exit(1);
      alarm(25); /* whatever happens, the chain ends; slow machines need the time to make it */
      pause();
    }
  }
  setpgid(first, first);
  close(report[1]);
  long outcome[2] = {0, 0};
  if (read(report[0], outcome, sizeof outcome) != sizeof outcome) broken("the chain was killed");
  kill(-first, SIGKILL);
  if (outcome[1]) denied((int)outcome[1], "at depth %ld", outcome[0]);
  allowed("depth %ld", outcome[0]);
}

static void *sleep_as_thread(void *nothing) {
  pause();
  return nothing;
}

static void many_threads(char **arguments) {
  const long bound = number(need(arguments, 0));
  pthread_attr_t small;
  pthread_attr_init(&small);
  pthread_attr_setstacksize(&small, 16384);
  for (long made = 0; made < bound; made++) {
    pthread_t thread;
    const int error = pthread_create(&thread, &small, sleep_as_thread, NULL);
    if (error) denied(error, "after %ld threads", made);
  }
  allowed("%ld threads", bound);
}

static void take_memory(char **arguments, int kind) {
  const long bound = number(need(arguments, 0));
  for (long taken = 0; taken < bound; taken++) {
    char *block = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, kind | MAP_ANONYMOUS, -1, 0);
    if (block == MAP_FAILED) denied(errno, "after %ld MiB", taken);
    for (size_t page = 0; page < 1 << 20; page += 4096) block[page] = 1;
  }
  allowed("%ld MiB", bound);
}

static void memory(char **arguments) { take_memory(arguments, MAP_PRIVATE); }
static void shared_memory(char **arguments) { take_memory(arguments, MAP_SHARED); }

/* None of them takes much. Each says by an errno whether it has got it, and keeps it. */
static void memory_of_many(char **arguments) {
  const long bound = number(need(arguments, 0));
  int told[2], error = 0;
  if (pipe(told) != 0) broken("pipe: %m");
  for (long made = 0; made < bound; made++) {
    const pid_t child = fork();
    if (child < 0) broken("fork: %m");
    if (child == 0) {
      char *block = mmap(NULL, 4 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      if (block == MAP_FAILED) error = errno;
      for (size_t page = 0; !error && page < 4 << 20; page += 4096) block[page] = 1;
      if (write(told[1], &error, sizeof error) < 0) _exit(1);
      sleep_as_child();
    }
    if (read(told[0], &error, sizeof error) != sizeof error) broken("read: %m");
    if (error) denied(error, "after %ld processes", made);
  }
  allowed("%ld processes", bound);
}

static void fill(char **arguments) {
  const char *folder = need(arguments, 0);
  const long bound = number(need(arguments, 1));
  char path[4096];
  static const char block[1 << 20];
  snprintf(path, sizeof path, "%s/fill", folder);
  const int fd = open(path, O_WRONLY | O_CREAT, 0600);
  if (fd < 0) denied(errno, "%s", path);
  signal(SIGXFSZ, SIG_IGN);
  long result = 0, written = 0;
  for (; written < bound && (result = write(fd, block, sizeof block)) == sizeof block;) written++;
  if (result >= 0 && written < bound) result = write(fd, block, sizeof block);
  const int error = errno;
  unlink(path);
  if (result < 0) denied(error, "after %ld MiB", written);
  allowed("%ld MiB", written);
}

static void sparse(char **arguments) {
  const char *path = need(arguments, 0);
  signal(SIGXFSZ, SIG_IGN);
  const int fd = open(path, O_WRONLY | O_CREAT, 0600);
  if (fd < 0) denied(errno, "%s", path);
  const long result = ftruncate(fd, number(need(arguments, 1)) << 20);
  const int error = errno;
  unlink(path);
  errno = error;
  verdict(result, "ftruncate");
}

static void many_files(char **arguments) {
  const char *folder = need(arguments, 0);
  const long bound = number(need(arguments, 1));
  char path[4096];
  long made = 0;
  for (; made < bound; made++) {
    snprintf(path, sizeof path, "%s/inode-%ld", folder, made);
    if (mknod(path, S_IFREG | 0600, 0) != 0) break;
  }
  const int error = errno;
  for (long i = 0; i < made; i++) {
    snprintf(path, sizeof path, "%s/inode-%ld", folder, i);
    unlink(path);
  }
  if (made < bound) denied(error, "after %ld files", made);
  allowed("%ld files", made);
}

static void many_descriptors(char **arguments) {
  const long bound = number(need(arguments, 0));
  for (long made = 0; made < bound; made++)
    if (dup(STDOUT_FILENO) < 0) denied(errno, "after %ld descriptors", made);
  allowed("%ld descriptors", bound);
}

static int resource_of(const char *name) {
  static const struct {
    const char *name;
    int resource;
  } all[] = {{"nproc", RLIMIT_NPROC}, {"nofile", RLIMIT_NOFILE}, {"data", RLIMIT_DATA},
             {"fsize", RLIMIT_FSIZE}, {"cpu", RLIMIT_CPU},       {"core", RLIMIT_CORE}};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++)
    if (strcmp(all[i].name, name) == 0) return all[i].resource;
  broken("no such limit: %s", name);
}

static void raise_limit(char **arguments) {
  const int resource = resource_of(need(arguments, 0));
  struct rlimit limit;
  getrlimit(resource, &limit);
  if (limit.rlim_max == RLIM_INFINITY) allowed("it is without limit already");
  limit.rlim_max++;
  verdict(setrlimit(resource, &limit), arguments[0]);
}

/* A plugin that floods what the host must read; bounded, and the host counts. */
static void flood(char **arguments) {
  const int fd = (int)number(need(arguments, 0));
  static char block[65536];
  memset(block, 'x', sizeof block);
  for (long left = number(need(arguments, 1)); left > 0; left--)
    if (write(fd, block, sizeof block) < 0) denied(errno, "write");
  if (fd != STDOUT_FILENO) allowed("%s blocks of 64 KiB", arguments[1]);
  exit(0);
}

static void burn(char **arguments) {
  (void)arguments;
  for (volatile unsigned long turns = 0;; turns++) continue;
}

const struct attack resource_attacks[] = {
    {"processes", "BOUND: as many children", many_processes},
    {"fork-chain", "BOUND: as deep a chain", fork_chain},
    {"threads", "BOUND", many_threads},
    {"memory", "BOUND in MiB, touched", memory},
    {"shared-memory", "MiB", shared_memory},
    {"memory-of-many", "PROCESSES of 4 MiB", memory_of_many},
    {"fill", "FOLDER BOUND in MiB", fill},
    {"sparse", "PATH SIZE in MiB", sparse},
    {"files", "FOLDER BOUND", many_files},
    {"descriptors", "BOUND", many_descriptors},
    {"raise-limit", "nproc|nofile|data|fsize|cpu|core", raise_limit},
    {"flood", "N BLOCKS of 64 KiB", flood},
    {"burn", ": processor time, without end", burn},
    {NULL, NULL, NULL},
};
