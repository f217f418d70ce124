/* What the tests of a whole jail run inside it: a static program that does one thing and says what came of it on
 * descriptor 3, where it has one. Nothing but system calls and their errors: the verdicts stand in the tests. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static void say(const char *what, long value) { dprintf(3, "%s %ld\n", what, value); }
static int error_of(long result) { return result < 0 ? errno : 0; }

static void say_file(const char *path) {
  char text[4096];
  const int file = open(path, O_RDONLY);
  const ssize_t size = file < 0 ? -1 : read(file, text, sizeof text);
  if (size < 0) dprintf(3, "%s errno %d\n", path, errno);
  else (void)!write(3, text, (size_t)size);
}

/* Everything pid 1 must keep to itself. */
static int peek(void) {
  static const char *const names[] = {"environ", "mem", "maps", "fd", "root", "cwd", "exe", "auxv", "stack"};
  char path[64], target[256];
  for (size_t i = 0; i < sizeof names / sizeof *names; ++i) {
    snprintf(path, sizeof path, "/proc/1/%s", names[i]);
    const int file = open(path, O_RDONLY);
    long seen = file < 0 ? -1 : read(file, target, sizeof target);
    if (seen < 0) seen = readlink(path, target, sizeof target);
    say(names[i], seen < 0 ? -errno : seen);
  }
  return 0;
}

static int kill_init(void) {
  int refused = 0;
  for (int number = 1; number < 32; ++number) refused += kill(1, number) != 0;
  usleep(200 * 1000);
  say("refused", refused);
  say("pid 1 errno", error_of(kill(1, 0)));
  return 0;
}

/* A grandchild in a session of its own, which nobody waits for. It holds descriptor 3 open as long as it lives. */
static int leave_survivor(void) {
  if (fork() == 0) {
    setsid();
    if (fork() == 0)
      for (;;) pause();
    _exit(0);
  }
  wait(NULL);
  say("survivor", 1);
  return 0;
}

static int count_zombies(void) {
  int zombies = 0;
  DIR *const processes = opendir("/proc");
  for (struct dirent *entry; processes && (entry = readdir(processes));) {
    char path[300], text[512] = "";
    snprintf(path, sizeof path, "/proc/%s/stat", entry->d_name);
    const int file = open(path, O_RDONLY);
    if (file < 0) continue;
    (void)!read(file, text, sizeof text - 1);
    close(file);
    const char *const state = strrchr(text, ')');
    zombies += state && state[2] == 'Z';
  }
  return zombies;
}

static int make_orphans(int count) {
  for (int i = 0; i < count; ++i) {
    if (fork() == 0) {
      if (fork() == 0) _exit(0);
      _exit(0);
    }
    wait(NULL);
  }
  int zombies = count_zombies();  // of one look: the next orphan may end between two
  for (int tries = 0; tries < 100 && zombies > 0; ++tries) {
    usleep(20 * 1000);
    zombies = count_zombies();
  }
  say("zombies", zombies);
  return 0;
}

static int count_forks(int most, int stay) {
  int made = 0, error = 0;
  for (; made < most; ++made) {
    const pid_t child = fork();
    if (child == 0)
      for (;;) pause();
    if (child < 0) {
      error = errno;
      break;
    }
  }
  say("forks", made);
  say("errno", error);
  while (stay) pause();
  return 0;
}

static int list_descriptors(void) {
  for (int fd = 0; fd < 4096; ++fd)
    if (fcntl(fd, F_GETFD) >= 0) say("fd", fd);
  return 0;
}

static volatile int asked = 0;
static void on_signal(int number) { asked = number; }

/* Held back until it is waited for: one that came between the look at `asked` and a pause(2) would be slept through. */
static int wait_for_signal(int number, int status) {
  sigset_t held, before;
  sigemptyset(&held);
  sigaddset(&held, number);
  sigprocmask(SIG_BLOCK, &held, &before);
  signal(number, on_signal);
  say("ready", number);
  while (!asked) sigsuspend(&before);
  say("got", asked);
  return status;
}

static int ignore_and_wait(int number) {
  signal(number, SIG_IGN);
  say("ready", number);
  for (;;) pause();
}

static int say_environment(void) {
  for (char **entry = environ; *entry; ++entry) dprintf(3, "%s\n", *entry);
  return 0;
}

static int fill(const char *path) {
  char block[4096] = "";
  long written = 0;
  const int file = open(path, O_WRONLY | O_CREAT, 0600);
  signal(SIGXFSZ, SIG_DFL);
  say("open", error_of(file));
  for (ssize_t size; (size = write(file, block, sizeof block)) > 0;) written += size;
  say("written", written);
  return 0;
}

int main(int argc, char **argv) {
  const char *const what = argc > 1 ? argv[1] : "exit";
  const int number = argc > 2 ? atoi(argv[2]) : 0;
  const int other = argc > 3 ? atoi(argv[3]) : 0;
  if (!strcmp(what, "exit")) return number;
  if (!strcmp(what, "signal")) return raise(number);
  if (!strcmp(what, "wait")) return wait_for_signal(number, other);
  if (!strcmp(what, "ignore")) return ignore_and_wait(number);
  if (!strcmp(what, "stop")) return kill(getpid(), SIGSTOP);
  if (!strcmp(what, "spin"))
    for (;;) number == 0 ? (void)0 : (void)getppid();
  if (!strcmp(what, "peek")) return peek();
  if (!strcmp(what, "kill-init")) return kill_init();
  if (!strcmp(what, "survivor")) return leave_survivor();
  if (!strcmp(what, "orphans")) return make_orphans(number);
  if (!strcmp(what, "forks")) return count_forks(number, other);
  if (!strcmp(what, "descriptors")) return list_descriptors();
  if (!strcmp(what, "environment")) return say_environment();
  if (!strcmp(what, "status")) return say_file("/proc/self/status"), 0;
  if (!strcmp(what, "mounts")) return say_file("/proc/self/mountinfo"), 0;
  if (!strcmp(what, "fill")) return fill(argv[2]);
  if (!strcmp(what, "cat")) return say_file(argv[2]), 0;
  if (!strcmp(what, "pids")) return say("pid", getpid()), say("ppid", getppid()), 0;
  return 99;
}
