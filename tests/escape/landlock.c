/*
 * Landlock: a domain that covers one thread of several (OpenShell#677 and kin), that a plugin's own domain could not be
 * stacked on, or that was bound before the mounts were made and so guards another tree than the plugin sees.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attack.h"

struct attempt {
  const char *path;
  int fd, error;
};

static void *open_in_thread(void *given) {
  struct attempt *attempt = given;
  attempt->fd = open(attempt->path, O_RDONLY);
  attempt->error = errno;
  return NULL;
}

static void read_in_thread(char **arguments) {
  struct attempt attempt = {need(arguments, 0), -1, 0};
  pthread_t thread;
  const int error = pthread_create(&thread, NULL, open_in_thread, &attempt);
  if (error) broken("pthread_create: %s", strerror(error));
  pthread_join(thread, NULL);
  errno = attempt.error;
  give_away(attempt.fd);
}

/* The main thread ends first: what is left of the process still has the domain. */
static void read_after_leader(char **arguments) {
  static struct attempt attempt;
  attempt.path = need(arguments, 0);
  const pid_t child = fork();
  if (child == 0) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, open_in_thread, &attempt) != 0) _exit(3);
    pthread_join(thread, NULL);
    errno = attempt.error;
    give_away(attempt.fd);
  }
  int status;
  waitpid(child, &status, 0);
  exit(WEXITSTATUS(status));
}

/* A plugin may confine itself further; the limit of 16 stacked domains must leave it room. */
static void stack_domains(char **arguments) {
  const long wanted = number(need(arguments, 0));
  struct landlock_ruleset_attr rules = {.handled_access_fs = LANDLOCK_ACCESS_FS_EXECUTE};
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  for (long made = 0; made < wanted; made++) {
    const int fd = (int)syscall(444, &rules, sizeof rules.handled_access_fs, 0);
    if (fd < 0) denied(errno, "landlock_create_ruleset");
    if (syscall(446, fd, 0) != 0) denied(errno, "domain %ld", made + 1);
    close(fd);
  }
  allowed("%ld domains of its own", wanted);
}

/* A domain with every right, added by the plugin, must not widen the one below it. */
static void widen(char **arguments) {
  const char *path = need(arguments, 0);
  struct landlock_ruleset_attr rules = {.handled_access_fs = LANDLOCK_ACCESS_FS_READ_FILE};
  const int fd = (int)syscall(444, &rules, sizeof rules.handled_access_fs, 0);
  const struct landlock_path_beneath_attr all = {.allowed_access = LANDLOCK_ACCESS_FS_READ_FILE,
                                                 .parent_fd = open("/", O_PATH)};
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  if (fd >= 0 && syscall(445, fd, LANDLOCK_RULE_PATH_BENEATH, &all, 0) == 0) syscall(446, fd, 0);
  give_away(open(path, O_RDONLY));
}

/* What its own domain denies is no matter of the jail's. */
static void deny_itself(char **arguments) {
  const char *path = need(arguments, 0);
  struct landlock_ruleset_attr rules = {.handled_access_fs = LANDLOCK_ACCESS_FS_READ_FILE};
  const int fd = (int)syscall(444, &rules, sizeof rules.handled_access_fs, 0);
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  if (fd < 0 || syscall(446, fd, 0) != 0) broken("no domain of its own: %s", strerror(errno));
  give_away(open(path, O_RDONLY));
}

const struct attack landlock_attacks[] = {
    {"thread-read", "PATH: reads it in a second thread", read_in_thread},
    {"leaderless-read", "PATH: in a second thread of a child", read_after_leader},
    {"stack-domains", "N: confines itself N times", stack_domains},
    {"widen", "PATH: reads it after adding a rule for /", widen},
    {"deny-itself", "PATH: reads it in a domain of its own that denies it", deny_itself},
    {NULL, NULL, NULL},
};
