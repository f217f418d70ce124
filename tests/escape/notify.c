/*
 * The source of events (SECURITY B): calls that come again and again, calls whose arguments nobody may read, many where
 * few matter, and memory that does not answer.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
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
#include <sys/stat.h>
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

/* With AT_EMPTY_PATH the kernel looks at the descriptor, unless there is a name. */
static void look_past_empty_path(char **arguments) {
  const char *path = need(arguments, 0);
  struct stat status;
  struct statx more;
  if (syscall(SYS_newfstatat, STDIN_FILENO, path, &status, AT_EMPTY_PATH) == 0) allowed("newfstatat");
  if (syscall(SYS_statx, STDIN_FILENO, path, AT_EMPTY_PATH, STATX_BASIC_STATS, &more) == 0) allowed("statx");
  denied(errno, "newfstatat, statx");
}

/* The last of COUNT messages has an address; the others go where the socket is connected to. */
static void send_behind_others(char **arguments) {
  struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons(4004)};
  here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  struct sockaddr_in there = here;
  inet_pton(AF_INET, need(arguments, 1), &there.sin_addr);
  static struct mmsghdr messages[1024];
  static struct iovec bytes = {"x", 1};
  const long count = number(need(arguments, 0));
  const int taker = socket(AF_INET, SOCK_DGRAM, 0), sender = socket(AF_INET, SOCK_DGRAM, 0);
  if (count > 1024 || bind(taker, (const struct sockaddr *)&here, sizeof here) != 0 ||
      connect(sender, (const struct sockaddr *)&here, sizeof here) != 0)
    broken("no socket");
  for (long i = 0; i < count; i++) messages[i].msg_hdr = (struct msghdr){.msg_iov = &bytes, .msg_iovlen = 1};
  messages[count - 1].msg_hdr.msg_name = &there;
  messages[count - 1].msg_hdr.msg_namelen = sizeof there;
  const int sent = sendmmsg(sender, messages, (unsigned)count, 0);
  if (sent == count) allowed("all");
  denied(errno, "%d sent", sent);
}

/* Mapped to be read, made code when nobody looks. */
static void late_code(char **arguments) {
  const int fd = open(need(arguments, 0), O_RDWR | O_CREAT, 0600);
  if (fd < 0 || ftruncate(fd, 4096) != 0) broken("no file");
  void *const page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
  if (page == MAP_FAILED) broken("no map");
  verdict(mprotect(page, 4096, PROT_READ | PROT_EXEC), "mprotect");
}

static void signal_process(char **arguments) { verdict(kill((pid_t)number(need(arguments, 0)), 0), "kill"); }

/* What nobody denies. */
static void make_and_listen(char **arguments) {
  const int file = open(need(arguments, 0), O_RDWR | O_CREAT, 0600), listener = socket(AF_INET, SOCK_STREAM, 0);
  int pair[2];
  if (file < 0 || listener < 0) broken("no file or socket");
  (void)syscall(SYS_memfd_create, "plain", 8U); /* MFD_NOEXEC_SEAL: EINVAL before Linux 6.3 */
  if (ftruncate(file, 10) != 0 || fallocate(file, 0, 0, 10) != 0) broken("ftruncate, fallocate");
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0 || listen(listener, 1) != 0) broken("socketpair, listen");
  if (fcntl(listener, F_SETFL, O_NONBLOCK) != 0 || accept(listener, NULL, NULL) >= 0) broken("accept");
  allowed("all");
}

/* A descriptor that was open at the start. */
static void change_given(char **arguments) {
  const int given = (int)number(need(arguments, 0));
  verdict(ftruncate(given, 0) | futimens(given, NULL), "ftruncate, futimens");
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
    {"look-past-empty-path", "PATH: its size is told", look_past_empty_path},
    {"send-behind-others", "COUNT ADDRESS", send_behind_others},
    {"late-code", "PATH: a file of the plugin's own is code", late_code},
    {"signal-process", "PID: it is there", signal_process},
    {"make-and-listen", "PATH", make_and_listen},
    {"change-given", "FD: it is emptied", change_given},
    {"deny-for-ever", ": never ends", deny_for_ever},
    {NULL, NULL, NULL},
};
