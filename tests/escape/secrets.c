/*
 * Secrets that were never granted but lie about: the caller's environment in every process that still holds a copy of
 * it (bwrap's pid 1 keeps it: measured), command lines, variables that make an interpreter run code, and core files.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attack.h"

extern char **environ;

static void variable(char **arguments) {
  const char *value = getenv(need(arguments, 0));
  if (!value) denied(0, "%s is not set", arguments[0]);
  allowed("%s=%s", arguments[0], value);
}

/* Everything above the stack pointer of a fresh program: arguments, environment, auxiliary vector, padding. */
static void variable_in_memory(char **arguments) {
  const char *needle = need(arguments, 0);
  char line[512], *end_of_stack = NULL;
  FILE *maps = fopen("/proc/self/maps", "r");
  while (maps && fgets(line, sizeof line, maps)) {
    unsigned long first, last;
    if (strstr(line, "[stack]") && sscanf(line, "%lx-%lx", &first, &last) == 2) end_of_stack = (char *)last;
  }
  if (!end_of_stack) broken("no [stack] in /proc/self/maps");
  char *from = (char *)environ;
  for (char *found; (found = memmem(from, (size_t)(end_of_stack - from), needle, strlen(needle))); from = found + 1)
    if (found != needle) allowed("%.60s", found);
  denied(0, "not on the stack");
}

static int holds(const char *path, const char *needle) {
  static char content[1 << 18];
  const int fd = open(path, O_RDONLY);
  if (fd < 0) return 0;
  size_t size = 0;
  for (ssize_t length; size < sizeof content && (length = read(fd, content + size, sizeof content - size)) > 0;)
    size += (size_t)length;
  close(fd);
  return memmem(content, size, needle, strlen(needle)) != NULL;
}

/* In every process that can be seen, ourselves left out: our own command line holds the needle. */
static void every_process(char **arguments) {
  static const char *const files[] = {"environ", "cmdline", "status", "maps", "mountinfo", "stat", "comm", "auxv"};
  const char *needle = need(arguments, 0);
  DIR *listing = opendir("/proc");
  if (!listing) denied(errno, "/proc");
  int seen = 0;
  for (const struct dirent *entry; (entry = readdir(listing));) {
    if (!isdigit((unsigned char)*entry->d_name) || atoi(entry->d_name) == getpid()) continue;
    seen++;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
      char path[300];
      snprintf(path, sizeof path, "/proc/%s/%s", entry->d_name, files[i]);
      if (holds(path, needle)) allowed("%s holds it", path);
    }
  }
  denied(0, "%d other processes seen", seen);
}

static void process_file(char **arguments) {
  char path[128];
  snprintf(path, sizeof path, "/proc/%s/%s", need(arguments, 0), need(arguments, 1));
  give_away(open(path, O_RDONLY));
}

static void process_link(char **arguments) {
  char path[128], target[256];
  snprintf(path, sizeof path, "/proc/%s/%s", need(arguments, 0), need(arguments, 1));
  const ssize_t length = readlink(path, target, sizeof target - 1);
  if (length < 0) denied(errno, "%s", path);
  allowed("%s -> %.*s", path, (int)length, target);
}

/* 1, not 0: the kernel refuses a piped core handler only for exactly this value (fs/coredump.c). */
static void core_limit(char **arguments) {
  (void)arguments;
  struct rlimit limit;
  getrlimit(RLIMIT_CORE, &limit);
  if (limit.rlim_cur == 1 && limit.rlim_max == 1) denied(0, "RLIMIT_CORE is 1/1");
  allowed("RLIMIT_CORE is %lld/%lld", (long long)limit.rlim_cur, (long long)limit.rlim_max);
}

static void raise_core_limit(char **arguments) {
  (void)arguments;
  const struct rlimit all = {RLIM_INFINITY, RLIM_INFINITY};
  verdict(setrlimit(RLIMIT_CORE, &all), "RLIMIT_CORE");
}

static void crash(char **arguments) {
  (void)arguments;
  const pid_t child = fork();
  if (child == 0) {
    prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
    signal(SIGSEGV, SIG_DFL);
    raise(SIGSEGV);
  }
  int status;
  waitpid(child, &status, 0);
  if (WIFSIGNALED(status) && WCOREDUMP(status)) allowed("the kernel wrote a core");
  denied(0, "status %#x without a core", status);
}

const struct attack secret_attacks[] = {
    {"variable", "NAME: is set", variable},
    {"stack-search", "TEXT: stands in the own stack", variable_in_memory},
    {"every-process", "TEXT: stands in a file of another process in /proc", every_process},
    {"process-file", "PID FILE: reads /proc/PID/FILE", process_file},
    {"process-link", "PID LINK: reads the link /proc/PID/LINK", process_link},
    {"core-limit", ": is not the value that stops handlers", core_limit},
    {"raise-core-limit", ": sets it higher", raise_core_limit},
    {"crash", ": leaves a core file", crash},
    {NULL, NULL, NULL},
};
