/*
 * The source of events (SECURITY B): calls that come again and again, calls whose arguments nobody may read, many where
 * few matter, and memory that does not answer.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include "attack.h"

static void tick(int signal) { (void)signal; }

/* Without SA_RESTART: every 200 us a call that nobody has received yet is interrupted, one that was received is not (Go
 * preempts its threads like this). */
static void timer_storm(char **arguments) {
  const long times = number(need(arguments, 0));
  struct sigaction action = {.sa_handler = tick};
  sigaction(SIGALRM, &action, NULL);
  const struct itimerval often = {{0, 200}, {0, 200}};
  setitimer(ITIMER_REAL, &often, NULL);
  for (long i = 0; i < times; i++) {
    int result;
    while ((result = unshare(CLONE_NEWUSER)) < 0 && errno == EINTR) {}
    if (result == 0 || errno != EPERM) allowed("call %ld: %s", i, strerror(errno));
  }
  denied(EPERM, "%ld calls came back", times);
}

/* N files that are not granted, in the midst of FLOOD opens of one that is. */
static void open_in_flood(char **arguments) {
  const char *folder = need(arguments, 0), *granted = need(arguments, 1);
  const long wanted = number(need(arguments, 2)), flood = number(need(arguments, 3));
  for (long i = 0; i < wanted; i++) {
    for (long j = 0; j < flood / wanted; j++) close(open(granted, O_RDONLY));
    char path[4096];
    snprintf(path, sizeof path, "%s/%ld", folder, i);
    if (open(path, O_RDONLY) >= 0) allowed("%s", path);
  }
  denied(errno, "%ld files", wanted);
}

static void clone3_often(char **arguments) {
  const long times = number(need(arguments, 0));
  for (long i = 0; i < 2 * times; i++) {
    struct clone_args how = {.flags = i < times ? 0 : CLONE_NEWUSER, .exit_signal = SIGCHLD};
    const long child = syscall(SYS_clone3, &how, sizeof how);
    if (child == 0) _exit(0);
    if (child > 0) allowed("a process");
  }
  denied(errno, "clone3");
}

/* As another program, with the rest as its words. */
static void execute(char **arguments) {
  execv(need(arguments, 0), arguments);
  denied(errno, "execv");
}

/* A name that lies in a file. */
static void name_in_file(char **arguments) {
  const int fd = open(need(arguments, 0), O_RDONLY);
  const char *name = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
  if (fd < 0 || name == MAP_FAILED) broken("no map");
  verdict(open(name, O_RDONLY), "opened");
}

static void deny_for_ever(char **arguments) {
  (void)arguments;
  for (int i = 0;; i++) (void)!socket(40, 1, i);
}

const struct attack notify_attacks[] = {
    {"timer-storm", "TIMES: a call of unshare does not come back with EPERM", timer_storm},
    {"open-in-flood", "FOLDER GRANTED TIMES FLOOD: opens FOLDER/0 and so on", open_in_flood},
    {"clone3-often", "TIMES", clone3_often},
    {"execute", "PROGRAM WORDS...", execute},
    {"name-in-file", "PATH: opens the file whose name is in it", name_in_file},
    {"deny-for-ever", ": never ends", deny_for_ever},
    {NULL, NULL, NULL},
};
