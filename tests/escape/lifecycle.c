/*
 * Lifecycle: outliving the jail (double fork, own session, cleared death signal), hurting its pid 1 from inside, and
 * the plain ends that the exit table is tested with. Most of these have no verdict of their own: whoever started them
 * looks at what is left.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attack.h"

/* Longer than any test, shorter than a night: a survivor must not stay on the machine for ever. */
#define A_WHILE 120

static void touch(const char *path) {
  if (!path) return;
  const int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
  if (fd < 0) broken("cannot make %s: %m", path);
  close(fd);
}

static void wait_long(void) __attribute__((noreturn));
static void wait_long(void) {
  for (unsigned left = A_WHILE; left > 0;) left = sleep(left);
  _exit(9);
}

static void hold(char **arguments) {
  touch(arguments[0]);
  wait_long();
}

static void hold_ignoring(char **arguments) {
  for (int number = 1; number < NSIG; number++) signal(number, SIG_IGN);
  prctl(PR_SET_PDEATHSIG, 0);
  touch(arguments[0]);
  wait_long();
}

/* Leaves a grandchild in a session of its own, without parent, terminal or death signal, then ends or stays. */
static void survive(char **arguments) {
  const char *ready = need(arguments, 0);
  if (fork() == 0) {
    setsid();
    if (fork() == 0) {
      setpgid(0, 0);
      hold_ignoring((char *[]){(char *)ready, NULL});
    }
    _exit(0);
  }
  wait(NULL);
  if (wait_for(ready) != 0) broken("the grandchild never came");
  if (arguments[1] && strcmp(arguments[1], "stay") == 0) wait_long();
  _exit(0);
}

/* ---- pid 1 */

static void signal_init(char **arguments) {
  (void)arguments;
  sigset_t everything, pending;
  sigfillset(&everything);
  sigprocmask(SIG_BLOCK, &everything, NULL);
  for (int number = 1; number < NSIG; number++) kill(1, number);
  usleep(200000);
  sigpending(&pending);
  for (int number = 1; number < NSIG; number++)
    if (sigismember(&pending, number) == 1) allowed("pid 1 ran a handler: signal %d came back", number);
  denied(0, "pid 1 lives on");
}

/* The parent and state of a process: fields 4 and 3 of proc_pid_stat(5), behind the name in parentheses. */
static int is_zombie_of_init(const char *pid) {
  char path[64], text[512] = "", state = 0;
  int parent = 0;
  snprintf(path, sizeof path, "/proc/%.20s/stat", pid);
  FILE *file = fopen(path, "r");
  if (!file) return 0;
  if (!fgets(text, sizeof text, file)) text[0] = 0;
  fclose(file);
  const char *name_end = strrchr(text, ')');
  return name_end && sscanf(name_end + 1, " %c %d", &state, &parent) == 2 && state == 'Z' && parent == 1;
}

static void orphans(char **arguments) {
  for (long left = number(need(arguments, 0)); left > 0; left--) {
    if (fork() == 0) {
      if (fork() == 0) usleep(20000);
      _exit(0);
    }
    wait(NULL);
  }
  int zombies = 1;
  for (int tries = 0; zombies && tries < 100; tries++) {
    usleep(20000);
    zombies = 0;
    DIR *listing = opendir("/proc");
    for (const struct dirent *entry; listing && (entry = readdir(listing));)
      if (isdigit((unsigned char)*entry->d_name)) zombies += is_zombie_of_init(entry->d_name);
    closedir(listing);
  }
  if (zombies) allowed("%d zombies stay", zombies);
  denied(0, "all were reaped");
}

/* ---- what a launcher hands on without meaning to */

static void inherited_signals(char **arguments) {
  (void)arguments;
  sigset_t blocked;
  sigprocmask(SIG_BLOCK, NULL, &blocked);
  for (int number = 1; number < 32; number++) {
    struct sigaction action;
    if (sigismember(&blocked, number) == 1) allowed("signal %d is blocked", number);
    if (sigaction(number, NULL, &action) == 0 && action.sa_handler != SIG_DFL) allowed("signal %d is ignored", number);
  }
  denied(0, "all signals are at their defaults");
}

static void inherited_umask(char **arguments) {
  const mode_t wanted = (mode_t)number(need(arguments, 0)), mask = umask(0);
  if (mask == wanted) denied(0, "umask is %03o", mask);
  allowed("umask is %03o", mask);
}

static void inherited_priority(char **arguments) {
  (void)arguments;
  errno = 0;
  const int nice = getpriority(PRIO_PROCESS, 0);
  if (nice == 0) denied(0, "nice 0");
  allowed("nice %d", nice);
}

static void relative_open(char **arguments) { give_away(open(need(arguments, 0), O_RDONLY)); }

static void stands_in(char **arguments) {
  char where[4096];
  if (!getcwd(where, sizeof where)) denied(errno, "getcwd");
  if (strcmp(where, need(arguments, 0)) == 0) allowed("%s", where);
  denied(0, "%s", where);
}

/* ---- plain ends */

static void end_with(char **arguments) { exit((int)number(need(arguments, 0))); }

static void end_by(char **arguments) {
  const int which = (int)number(need(arguments, 0));
  signal(which, SIG_DFL);
  raise(which);
}

/* A child of our parent, pid 1: its end is not ours. */
static void sibling(char **arguments) {
  const long child = syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0);
  if (child == 0) _exit((int)number(need(arguments, 0)));
  usleep(200000);
  exit((int)number(need(arguments, 1)));
}

/* Stopped for ever: nothing of the jail's own may wait for it. */
static void stop(char **arguments) {
  touch(arguments[0]);
  for (;;) kill(arguments[0] && arguments[1] ? -1 : getpid(), SIGSTOP), raise(SIGSTOP);
}

/* Says which signal came, for the tests of forwarding. */
static void wait_for_signal(char **arguments) {
  sigset_t everything;
  sigfillset(&everything);
  sigprocmask(SIG_BLOCK, &everything, NULL);
  touch(need(arguments, 0));
  const struct timespec limit = {A_WHILE, 0};
  exit(sigtimedwait(&everything, NULL, &limit) & 0x7f);
}

static void echo_input(char **arguments) {
  (void)arguments;
  char block[4096];
  ssize_t length;
  while ((length = read(STDIN_FILENO, block, sizeof block)) > 0)
    if (write(STDOUT_FILENO, block, (size_t)length) != length) exit(1);
  exit(0);
}

const struct attack lifecycle_attacks[] = {
    {"hold", "[READY]: stays", hold},
    {"hold-ignoring", "[READY]: stays whatever signal comes", hold_ignoring},
    {"survive", "READY [stay]: leaves a grandchild of its own session", survive},
    {"signal-init", ": pid 1 reacts to a signal from inside", signal_init},
    {"orphans", "N: of its orphans some stay as zombies", orphans},
    {"inherited-signals", ": some are blocked or ignored from the start", inherited_signals},
    {"inherited-umask", "MASK: it is another", inherited_umask},
    {"inherited-nice", ": it is not 0", inherited_priority},
    {"relative-open", "NAME: reads it in the current directory", relative_open},
    {"stands-in", "DIRECTORY: is the current one", stands_in},
    {"exit", "STATUS", end_with},
    {"die", "SIGNAL", end_by},
    {"sibling", "STATUS OWN-STATUS: a child of pid 1 ends first", sibling},
    {"stop", "[READY [all]]: stops itself", stop},
    {"wait-signal", "READY: exits with the number of the signal that came", wait_for_signal},
    {"cat", ": copies its input", echo_input},
    {NULL, NULL, NULL},
};
