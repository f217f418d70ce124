/*
 * Mounts: making new ones, taking off or loosening those of the jail, and finding one whose flags were lost on the way
 * (CVE-2025-31133, -52565, -52881). The code of a plugin that comes from a place which is not executable belongs here
 * too: `noexec` is a property of a mount.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attack.h"

static void mount_over(char **arguments) {
  const char *type = need(arguments, 0), *where = need(arguments, 1);
  verdict(mount(type, where, type, 0, arguments[2]), type);
}

static void nested_mount(char **arguments) {
  const char *where = need(arguments, 0);
  if (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) denied(errno, "unshare");
  verdict(mount("tmpfs", where, "tmpfs", 0, NULL), "tmpfs in a nested user namespace");
}

static void remount_writable(char **arguments) {
  verdict(mount(NULL, need(arguments, 0), NULL, MS_REMOUNT | MS_BIND, NULL), "remount read-write");
}

static void unmount(char **arguments) { verdict(umount2(need(arguments, 0), MNT_DETACH), "umount2"); }

static void clone_tree(char **arguments) {
  verdict(syscall(428 /* open_tree */, AT_FDCWD, need(arguments, 0), 1 /* OPEN_TREE_CLONE */), "open_tree");
}

/* The classic: chroot below, keep a descriptor above, climb. */
static void chroot_climb(char **arguments) {
  const char *inside = need(arguments, 0);
  const int above = open("/", O_PATH | O_DIRECTORY);
  if (chroot(inside) != 0) denied(errno, "chroot");
  verdict(fchdir(above), "stands outside its root");
}

static void device_node(char **arguments) {
  const char *path = need(arguments, 0);
  const mode_t kind = strcmp(need(arguments, 1), "block") == 0 ? S_IFBLK : S_IFCHR;
  if (mknod(path, kind | 0666, kind == S_IFBLK ? makedev(7, 0) : makedev(1, 3)) != 0) denied(errno, "mknod");
  unlink(path);
  allowed("made a %s device", arguments[1]);
}

/* ---- one mount whose protections were lost. Fields as in proc_pid_mountinfo(5). */

struct mount_line {
  char root[2048], point[2048], options[256], tags[256];
};

static int parse(const char *line, struct mount_line *out) {
  int end = 0;
  out->tags[0] = 0;
  if (sscanf(line, "%*d %*d %*s %2047s %2047s %255s %n", out->root, out->point, out->options, &end) < 3) return 0;
  const char *separator = strstr(line + end, "- ");
  snprintf(out->tags, sizeof out->tags, "%.*s", separator ? (int)(separator - line - end) : 0, line + end);
  return 1;
}

static int has(const char *options, const char *word) {
  const size_t length = strlen(word);
  for (const char *at = options; (at = strstr(at, word)); at += length)
    if ((at == options || at[-1] == ',') && (at[length] == 0 || at[length] == ',')) return 1;
  return 0;
}

/* Devices under /dev are exempt from nodev by name: a nodev bind of /dev/null would be EACCES. */
static int is_device_file(const char *point) {
  struct stat status;
  return strncmp(point, "/dev/", 5) == 0 && stat(point, &status) == 0 && S_ISCHR(status.st_mode);
}

static void lost_flag(char **arguments) {
  const char *wanted = need(arguments, 0);
  FILE *listing = fopen("/proc/self/mountinfo", "r");
  if (!listing) broken("/proc/self/mountinfo: %m");
  char line[8192];
  int seen = 0;
  for (struct mount_line it; fgets(line, sizeof line, listing);) {
    if (!parse(line, &it)) broken("cannot parse: %s", line);
    seen++;
    if (strcmp(wanted, "private") == 0) {
      if (strstr(it.tags, "shared:") || strstr(it.tags, "master:")) allowed("%s is %s", it.point, it.tags);
    } else if (!has(it.options, wanted)) {
      const int devices = strcmp(it.point, "/dev/pts") == 0 || is_device_file(it.point);
      if (strcmp(wanted, "nodev") != 0 || !devices) allowed("%s lacks %s: %s", it.point, wanted, it.options);
    }
  }
  denied(0, "%d mounts are %s", seen, wanted);
}

/* A place of the jail's own making that ought to be read-only or without code. */
static void mount_lacks(char **arguments) {
  struct statvfs status;
  const char *path = need(arguments, 0), *flag = need(arguments, 1);
  if (statvfs(path, &status) != 0) denied(errno, "%s", path);
  const unsigned long bit = strcmp(flag, "ro") == 0 ? ST_RDONLY : strcmp(flag, "noexec") == 0 ? ST_NOEXEC : ST_NOSUID;
  if (status.f_flag & bit) denied(0, "%s is %s", path, flag);
  allowed("%s is not %s", path, flag);
}

/* ---- running what was not granted to be run */

static int copy_of_self(int out) {
  const int in = open("/proc/self/exe", O_RDONLY);
  char block[65536];
  ssize_t length;
  while ((length = read(in, block, sizeof block)) > 0)
    if (write(out, block, (size_t)length) != length) return -1;
  return in < 0 || length < 0 ? -1 : 0;
}

/* The exit status of the child tells: 42 is printed by nobody but a program that ran. */
static void run_child(const char *what, int fd, const char *path, char **words) {
  int report[2];
  if (pipe2(report, O_CLOEXEC) != 0) broken("pipe: %m");
  const pid_t child = fork();
  if (child == 0) {
    char *empty[] = {NULL};
    if (fd >= 0)
      syscall(SYS_execveat, fd, "", words, empty, AT_EMPTY_PATH);
    else
      execve(path, words, empty);
    if (write(report[1], &errno, sizeof errno) < 0) _exit(9);
    _exit(9);
  }
  close(report[1]);
  int error = 0, status = 0;
  const ssize_t length = read(report[0], &error, sizeof error);
  waitpid(child, &status, 0);
  if (length > 0) denied(error, "%s", what);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 42) allowed("%s ran", what);
  denied(EACCES, "%s did not get far: status %#x", what, status);
}

static char *ran[] = {"attacker", "exit-42", NULL};

static void exit_42(char **arguments) {
  (void)arguments;
  exit(42);
}

static void run_copy(char **arguments) {
  const char *path = need(arguments, 0);
  unlink(path);
  const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0755);
  if (fd < 0 || copy_of_self(fd) != 0) denied(errno, "cannot even make %s", path);
  close(fd);
  run_child(path, -1, path, ran);
}

static void run_file(char **arguments) {
  ran[0] = (char *)need(arguments, 0);
  run_child(ran[0], -1, ran[0], ran);
}

/* Any program: what it does with its arguments is not looked at; that it started is. */
static void start_file(char **arguments) {
  const char *path = need(arguments, 0);
  const pid_t child = vfork();
  static volatile int error;
  if (child == 0) {
    char *words[] = {(char *)path, "--version", NULL}, *empty[] = {NULL};
    dup2(open("/dev/null", O_RDWR), STDOUT_FILENO);
    execve(path, words, empty);
    error = errno;
    _exit(9);
  }
  int status;
  waitpid(child, &status, 0);
  if (error) denied(error, "%s", path);
  allowed("%s started", path);
}

static void run_memory(char **arguments) {
  const int fd = (int)syscall(SYS_memfd_create, "code", (unsigned)number(need(arguments, 0)));
  if (fd < 0) denied(errno, "memfd_create");
  if (copy_of_self(fd) != 0) denied(errno, "write");
  run_child("a memfd", fd, NULL, ran);
}

static void run_memory_by_path(char **arguments) {
  const int fd = (int)syscall(SYS_memfd_create, "code", (unsigned)number(need(arguments, 0)));
  if (fd < 0) denied(errno, "memfd_create");
  if (copy_of_self(fd) != 0) denied(errno, "write");
  char magic[64];
  snprintf(magic, sizeof magic, "/proc/self/fd/%d", fd);
  run_child(magic, -1, magic, ran);
}

static void run_descriptor(char **arguments) {
  run_child("execveat of a descriptor", open(need(arguments, 0), O_PATH | O_CLOEXEC), NULL, ran);
}

/* ld.so is a program that starts other programs; it must be granted for any dynamic program to start at all. */
static void run_by_loader(char **arguments) {
  const char *loader = need(arguments, 0), *program = need(arguments, 1);
  const pid_t child = fork();
  if (child == 0) {
    char *words[] = {(char *)loader, (char *)program, NULL}, *empty[] = {NULL};
    const int null = open("/dev/null", O_WRONLY);
    dup2(null, 2);
    execve(loader, words, empty);
    _exit(126);
  }
  int status;
  waitpid(child, &status, 0);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) allowed("%s ran by %s", program, loader);
  denied(EACCES, "status %#x", status);
}

static void map_as_code(char **arguments) {
  const int fd = open(need(arguments, 0), O_RDONLY);
  if (fd < 0) denied(errno, "open");
  if (mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0) == MAP_FAILED) denied(errno, "mmap");
  allowed("mapped as code");
}

/* The two-step way: map it harmlessly, then make it code. */
static void protect_as_code(char **arguments) {
  const int fd = open(need(arguments, 0), O_RDONLY);
  if (fd < 0) denied(errno, "open");
  void *memory = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
  if (memory == MAP_FAILED) denied(errno, "mmap");
  verdict(mprotect(memory, 4096, PROT_READ | PROT_EXEC), "mprotect");
}

const struct attack mount_attacks[] = {
    {"mount", "TYPE WHERE [DATA]", mount_over},
    {"nested-mount", "WHERE: in a user namespace of its own", nested_mount},
    {"remount-rw", "WHERE", remount_writable},
    {"umount", "WHERE", unmount},
    {"open-tree", "WHERE: clones a mount", clone_tree},
    {"chroot-climb", "DIRECTORY", chroot_climb},
    {"device", "PATH char|block", device_node},
    {"lost-flag", "nosuid|nodev|private: a mount without it", lost_flag},
    {"mount-lacks", "PATH ro|noexec|nosuid", mount_lacks},
    {"exit-42", ": what the attacks below run", exit_42},
    {"run-copy", "PATH: runs a copy of itself from there", run_copy},
    {"run-file", "PATH: runs that copy of itself", run_file},
    {"start-file", "PATH: starts that program", start_file},
    {"run-memory", "MEMFD-FLAGS: fexecve of a memfd", run_memory},
    {"run-memory-by-path", "MEMFD-FLAGS: the same through /proc/self/fd", run_memory_by_path},
    {"run-descriptor", "PATH: execveat with AT_EMPTY_PATH", run_descriptor},
    {"run-by-loader", "LOADER PROGRAM", run_by_loader},
    {"map-code", "PATH: mmap with PROT_EXEC", map_as_code},
    {"protect-code", "PATH: mprotect to PROT_EXEC", protect_as_code},
    {NULL, NULL, NULL},
};
