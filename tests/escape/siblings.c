/*
 * The siblings of every filtered call: each way the kernel has to open a path and each way to change what a path names.
 * A layer that thought of open(2) and chmod(2) alone has as many holes as this table has other lines.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>
#include <utime.h>

#include "attack.h"

/* ---- reading: each returns a descriptor with the content, or -1 */

typedef int (*reader)(const char *path);

static int by_open(const char *path) { return (int)syscall(SYS_open, path, O_RDONLY); }
static int by_openat(const char *path) { return (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY); }
static int by_openat2(const char *path) {
  const struct open_how how = {.flags = O_RDONLY};
  return (int)syscall(437, AT_FDCWD, path, &how, sizeof how);
}
static int by_creat(const char *path) {
  const int fd = (int)syscall(SYS_open, path, O_RDWR | O_CREAT, 0644);
  return fd;
}
static int by_read_write(const char *path) { return (int)syscall(SYS_open, path, O_RDWR); }

/* O_PATH needs no right on the file; the second open goes by the descriptor, without the name. */
static int by_opath(const char *path) {
  const int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_PATH);
  char again[64];
  snprintf(again, sizeof again, "/proc/self/fd/%d", fd);
  return fd < 0 ? -1 : open(again, O_RDONLY);
}

static int by_parent_descriptor(const char *path) {
  char folder[4096];
  snprintf(folder, sizeof folder, "%s", path);
  char *name = strrchr(folder, '/');
  *name++ = 0;
  const int parent = open(folder, O_PATH | O_DIRECTORY);
  return parent < 0 ? -1 : openat(parent, name, O_RDONLY);
}

static int by_chdir(const char *path) {
  char folder[4096];
  snprintf(folder, sizeof folder, "%s", path);
  char *name = strrchr(folder, '/');
  *name++ = 0;
  return chdir(folder) != 0 ? -1 : open(name, O_RDONLY);
}

static int by_handle(const char *path) {
  struct file_handle *handle = calloc(1, sizeof *handle + MAX_HANDLE_SZ);
  handle->handle_bytes = MAX_HANDLE_SZ;
  int mount;
  if (name_to_handle_at(AT_FDCWD, path, handle, &mount, 0) != 0) return -1;
  return open_by_handle_at(AT_FDCWD, handle, O_RDONLY);
}

static int by_truncated_open(const char *path) { return open(path, O_RDONLY | O_TRUNC); }

/* A thread restricted alone would leave the next thread free; a vfork child shares the credentials at first. */
static int by_vfork_child(const char *path) {
  static volatile int fd, error;
  const pid_t child = (pid_t)syscall(SYS_clone, CLONE_FILES | CLONE_VM | CLONE_VFORK | SIGCHLD, 0, 0, 0, 0);
  if (child == 0) {
    fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY);
    error = errno;
    syscall(SYS_exit, 0);
  }
  waitpid(child, NULL, 0);
  errno = error;
  return fd;
}

/* ---- looking: they give no content, but say whether it is there */

static int look(long result) { return result < 0 ? -1 : open("/dev/null", O_RDONLY); }
static int by_stat(const char *path) {
  struct stat status;
  return look(syscall(SYS_stat, path, &status));
}
static int by_lstat(const char *path) {
  struct stat status;
  return look(syscall(SYS_lstat, path, &status));
}
static int by_statx(const char *path) {
  struct statx status;
  return look(syscall(SYS_statx, AT_FDCWD, path, 0, STATX_BASIC_STATS, &status));
}
static int by_access(const char *path) { return look(syscall(SYS_access, path, F_OK)); }
static int by_faccessat2(const char *path) { return look(syscall(439, AT_FDCWD, path, F_OK, 0)); }
static int by_getxattr(const char *path) {
  char value[64];
  const long result = getxattr(path, "user.none", value, sizeof value);
  return result < 0 && (errno == ENODATA || errno == EOPNOTSUPP) ? look(0) : look(result);
}

struct way_to_read {
  const char *name;
  reader read;
  int only_looks;
};
static const struct way_to_read ways_to_read[] = {
    {"open", by_open, 0},           {"openat", by_openat, 0},
    {"openat2", by_openat2, 0},     {"open-create", by_creat, 0},
    {"open-rdwr", by_read_write, 0}, {"o_path", by_opath, 0},
    {"parent-fd", by_parent_descriptor, 0}, {"chdir", by_chdir, 0},
    {"handle", by_handle, 0},       {"open-trunc", by_truncated_open, 0},
    {"vfork-child", by_vfork_child, 0}, {"stat", by_stat, 1},
    {"lstat", by_lstat, 1},         {"statx", by_statx, 1},
    {"access", by_access, 1},       {"faccessat2", by_faccessat2, 1},
    {"getxattr", by_getxattr, 1},   {NULL, NULL, 0},
};

static void read_by(char **arguments) {
  const char *method = need(arguments, 0), *path = need(arguments, 1);
  const struct way_to_read *way = ways_to_read;
  while (way->name && strcmp(way->name, method) != 0) way++;
  if (!way->name) broken("no such way to read: %s", method);
  const int fd = way->read(path);
  if (fd < 0) denied(errno, "%s %s", method, path);
  if (way->only_looks || way->read == by_truncated_open) allowed("%s %s", method, path);
  give_away(fd);
}

/* ---- changing: each returns 0 or more when the change was made */

typedef long (*changer)(const char *path);

static const char *beside(const char *path, const char *suffix) {
  static char other[4200];
  snprintf(other, sizeof other, "%s%s", path, suffix);
  return other;
}

static long change_write(const char *path) {
  const int fd = open(path, O_WRONLY);
  return fd < 0 ? -1 : write(fd, "changed", 7);
}
static long change_append(const char *path) {
  const int fd = open(path, O_WRONLY | O_APPEND);
  return fd < 0 ? -1 : write(fd, "changed", 7);
}
static long change_map(const char *path) {
  const int fd = open(path, O_RDWR);
  if (fd < 0) return -1;
  char *memory = mmap(NULL, 1, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (memory == MAP_FAILED) return -1;
  return *memory = 'x';
}
static long change_truncate(const char *path) { return syscall(SYS_truncate, path, 1L); }
static long change_open_trunc(const char *path) { return open(path, O_RDONLY | O_TRUNC); }
static long change_chmod(const char *path) { return syscall(SYS_chmod, path, 0600); }
static long change_fchmodat(const char *path) { return syscall(SYS_fchmodat, AT_FDCWD, path, 0600); }
static long change_fchmod(const char *path) {
  const int fd = open(path, O_RDONLY);
  return fd < 0 ? -1 : syscall(SYS_fchmod, fd, 0600);
}
static long change_chown(const char *path) { return syscall(SYS_chown, path, getuid(), getgid()); }
static long change_lchown(const char *path) { return syscall(SYS_lchown, path, getuid(), getgid()); }
static long change_fchownat(const char *path) { return syscall(SYS_fchownat, AT_FDCWD, path, getuid(), getgid(), 0); }
static long change_utime(const char *path) { return syscall(SYS_utime, path, NULL); }
static long change_utimes(const char *path) { return syscall(SYS_utimes, path, NULL); }
static long change_utimensat(const char *path) { return syscall(SYS_utimensat, AT_FDCWD, path, NULL, 0); }
static long change_setxattr(const char *path) { return setxattr(path, "user.jail", "x", 1, 0); }
static long change_lsetxattr(const char *path) { return lsetxattr(path, "user.jail", "x", 1, 0); }
static long change_unlink(const char *path) { return syscall(SYS_unlink, path); }
static long change_unlinkat(const char *path) { return syscall(SYS_unlinkat, AT_FDCWD, path, 0); }
static long change_rename(const char *path) { return syscall(SYS_rename, path, beside(path, ".moved")); }
static long change_renameat(const char *path) {
  return syscall(SYS_renameat, AT_FDCWD, path, AT_FDCWD, beside(path, ".moved"));
}
static long change_renameat2(const char *path) {
  return syscall(SYS_renameat2, AT_FDCWD, path, AT_FDCWD, beside(path, ".moved"), RENAME_NOREPLACE);
}
static long change_link(const char *path) { return syscall(SYS_link, path, beside(path, ".link")); }
static long change_linkat(const char *path) {
  return syscall(SYS_linkat, AT_FDCWD, path, AT_FDCWD, beside(path, ".link"), 0);
}
static long change_symlink(const char *path) { return syscall(SYS_symlink, "x", beside(path, ".symlink")); }
static long change_symlinkat(const char *path) {
  return syscall(SYS_symlinkat, "x", AT_FDCWD, beside(path, ".symlink"));
}
static long change_create(const char *path) { return open(beside(path, ".new"), O_WRONLY | O_CREAT, 0644); }
static long change_creat(const char *path) { return syscall(SYS_creat, beside(path, ".new"), 0644); }
static long change_mkdir(const char *path) { return syscall(SYS_mkdir, beside(path, ".dir"), 0755); }
static long change_mkdirat(const char *path) { return syscall(SYS_mkdirat, AT_FDCWD, beside(path, ".dir"), 0755); }
static long change_mkfifo(const char *path) { return syscall(SYS_mknod, beside(path, ".fifo"), S_IFIFO | 0644, 0); }
static long change_mknodat(const char *path) {
  return syscall(SYS_mknodat, AT_FDCWD, beside(path, ".fifo"), S_IFIFO | 0644, 0);
}
static long change_tmpfile(const char *path) {
  char folder[4096];
  snprintf(folder, sizeof folder, "%s", path);
  *strrchr(folder, '/') = 0;
  return open(folder, O_TMPFILE | O_WRONLY, 0644);
}
static long change_fallocate(const char *path) {
  const int fd = open(path, O_WRONLY);
  return fd < 0 ? -1 : syscall(SYS_fallocate, fd, 0, 0L, 4096L);
}
static long change_pwritev2(const char *path) {
  const int fd = open(path, O_WRONLY);
  const struct iovec piece = {"changed", 7};
  return fd < 0 ? -1 : pwritev2(fd, &piece, 1, 0, 0);
}
/* The inode's flags (chattr) go through a descriptor that is only read. */
static long change_attributes(const char *path) {
  const int fd = open(path, O_RDONLY);
  int flags;
  if (fd < 0 || ioctl(fd, FS_IOC_GETFLAGS, &flags) != 0) return -1;
  flags |= FS_NODUMP_FL;
  return ioctl(fd, FS_IOC_SETFLAGS, &flags);
}

struct way_to_change {
  const char *name;
  changer change;
};
static const struct way_to_change ways_to_change[] = {
    {"write", change_write},         {"append", change_append},       {"mmap", change_map},
    {"truncate", change_truncate},   {"open-trunc", change_open_trunc}, {"chmod", change_chmod},
    {"fchmodat", change_fchmodat},   {"fchmod", change_fchmod},       {"chown", change_chown},
    {"lchown", change_lchown},       {"fchownat", change_fchownat},   {"utime", change_utime},
    {"utimes", change_utimes},       {"utimensat", change_utimensat}, {"setxattr", change_setxattr},
    {"lsetxattr", change_lsetxattr}, {"unlink", change_unlink},       {"unlinkat", change_unlinkat},
    {"rename", change_rename},       {"renameat", change_renameat},   {"renameat2", change_renameat2},
    {"link", change_link},           {"linkat", change_linkat},       {"symlink", change_symlink},
    {"symlinkat", change_symlinkat}, {"create", change_create},       {"creat", change_creat},
    {"mkdir", change_mkdir},         {"mkdirat", change_mkdirat},     {"mkfifo", change_mkfifo},
    {"mknodat", change_mknodat},     {"tmpfile", change_tmpfile},     {"fallocate", change_fallocate},
    {"pwritev2", change_pwritev2},   {"chattr", change_attributes},   {NULL, NULL},
};

static void change_by(char **arguments) {
  const char *method = need(arguments, 0), *path = need(arguments, 1);
  const struct way_to_change *way = ways_to_change;
  while (way->name && strcmp(way->name, method) != 0) way++;
  if (!way->name) broken("no such way to change: %s", method);
  if (way->change(path) < 0) denied(errno, "%s %s", method, path);
  allowed("%s %s", method, path);
}

/* What must go on working where writing is granted. */
static void change_own(char **arguments) {
  const int fd = open(need(arguments, 1), O_WRONLY | O_CREAT | O_TRUNC, 0644);
  if (fd < 0 || write(fd, "my own", 6) != 6) denied(errno, "cannot even make %s", arguments[1]);
  close(fd);
  change_by(arguments);
}

/* ---- moving a name from one place to another */

static void move_name(char **arguments) { verdict(rename(need(arguments, 0), need(arguments, 1)), "rename"); }
static void exchange_names(char **arguments) {
  verdict(syscall(SYS_renameat2, AT_FDCWD, need(arguments, 0), AT_FDCWD, need(arguments, 1), RENAME_EXCHANGE),
          "exchange");
}
static void hard_link(char **arguments) {
  if (link(need(arguments, 0), need(arguments, 1)) != 0) denied(errno, "link");
  verdict(open(arguments[1], O_RDWR), "a writable second name");
}
/* The same by descriptor: linkat of /proc/self/fd/N needs no right on the name. */
static void link_descriptor(char **arguments) {
  char magic[64];
  snprintf(magic, sizeof magic, "/proc/self/fd/%d", open(need(arguments, 0), O_PATH));
  verdict(linkat(AT_FDCWD, magic, AT_FDCWD, need(arguments, 1), AT_SYMLINK_FOLLOW), "linkat");
}

/* Makes so many names in FOLDER come and go that whoever counts them loses count; meanwhile looks at PATH. */
static void churn(char **arguments) {
  const char *folder = need(arguments, 0), *path = need(arguments, 4);
  const pid_t churner = fork();
  if (churner < 0) broken("fork: %m");
  if (churner == 0) {
    if (chdir(folder) != 0) _exit(1);
    for (long count = number(need(arguments, 1)); count > 0; count--) {
      const int fd = open("one", O_WRONLY | O_CREAT, 0644);
      if (fd < 0 || close(fd) != 0 || rename("one", "two") != 0 || unlink("two") != 0) _exit(1);
    }
    _exit(0);
  }
  int status = 0;
  if (waitpid(churner, &status, 0) != churner || status != 0) broken("the churner failed: %d", status);
  const int ready = open(need(arguments, 2), O_WRONLY | O_CREAT, 0666);
  if (ready < 0) broken("ready: %m");
  close(ready);
  if (wait_for(need(arguments, 3)) != 0) broken("%s never came", arguments[3]);
  give_away(open(path, O_RDONLY));
}

const struct attack sibling_attacks[] = {
    {"read-by", "METHOD PATH: gets its content, or sees that it is there", read_by},
    {"change-by", "METHOD PATH: changes it or makes a name beside it", change_by},
    {"change-own", "METHOD PATH: the same with a file it made itself", change_own},
    {"rename", "FROM TO", move_name},
    {"exchange", "FROM TO", exchange_names},
    {"hard-link", "FROM TO: a second name that can be written", hard_link},
    {"link-descriptor", "FROM TO", link_descriptor},
    {"churn", "FOLDER TIMES READY GO PATH: gets its content", churn},
    {NULL, NULL, NULL},
};
