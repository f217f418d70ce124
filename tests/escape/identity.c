/*
 * Identity: who the plugin is for the host's kernel, which powers it has or can get back, and files that lend their
 * owner's identity to whoever starts them later (setuid, setgid, file capabilities).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/openat2.h>
#include <linux/securebits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "attack.h"

/* The line `name:` of /proc/self/status, without the name. */
static const char *status_line(const char *name) {
  static char line[512];
  FILE *status = fopen("/proc/self/status", "r");
  const size_t length = strlen(name);
  while (status && fgets(line, sizeof line, status))
    if (strncmp(line, name, length) == 0 && line[length] == ':') return line + length + 1;
  broken("no %s in /proc/self/status", name);
}

static void capabilities(char **arguments) {
  (void)arguments;
  static const char *const sets[] = {"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"};
  for (size_t i = 0; i < sizeof sets / sizeof *sets; i++)
    if (strtoull(status_line(sets[i]), NULL, 16)) allowed("%s is %s", sets[i], status_line(sets[i]));
  denied(0, "all five sets are empty");
}

static void status_is(char **arguments) {
  const char *name = need(arguments, 0), *wanted = need(arguments, 1);
  char *end;
  const char *line = status_line(name);
  const long value = strtol(line, &end, 10);
  if (value == number(wanted)) denied(0, "%s is %ld", name, value);
  allowed("%s is %ld, not %s", name, value, wanted);
}

static void groups(char **arguments) {
  const gid_t unwanted = (gid_t)number(need(arguments, 0));
  gid_t list[256];
  const int count = getgroups(256, list);
  for (int i = 0; i < count; i++)
    if (list[i] == unwanted) allowed("still in group %u", unwanted);
  denied(0, "%d groups", count);
}

/* The credentials by which files are judged are a third set. */
static void become(char **arguments) {
  const char *how = need(arguments, 0);
  const gid_t zero = 0;
  if (strcmp(how, "setuid") == 0) verdict(syscall(SYS_setuid, 0), how);
  if (strcmp(how, "setgid") == 0) verdict(syscall(SYS_setgid, 0), how);
  if (strcmp(how, "setreuid") == 0) verdict(syscall(SYS_setreuid, 0, 0), how);
  if (strcmp(how, "setresuid") == 0) verdict(syscall(SYS_setresuid, 0, 0, 0), how);
  if (strcmp(how, "setresgid") == 0) verdict(syscall(SYS_setresgid, 0, 0, 0), how);
  if (strcmp(how, "setgroups") == 0) verdict(syscall(SYS_setgroups, 1, &zero), how);
  if (strcmp(how, "setfsuid") == 0) {
    setfsuid(0);
    if (setfsuid((uid_t)-1) == 0) allowed("setfsuid");
    denied(EPERM, "setfsuid");
  }
  broken("no such way: %s", how);
}

static void powers(char **arguments) {
  const char *how = need(arguments, 0);
  if (strcmp(how, "capset") == 0) {
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct sets[2] = {{1 << CAP_DAC_OVERRIDE, 1 << CAP_DAC_OVERRIDE, 0}, {0, 0, 0}};
    verdict(syscall(SYS_capset, &header, sets), how);
  }
  if (strcmp(how, "ambient") == 0) verdict(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_DAC_OVERRIDE, 0, 0), how);
  if (strcmp(how, "securebits") == 0) verdict(prctl(PR_SET_SECUREBITS, SECBIT_KEEP_CAPS | SECBIT_NOROOT, 0, 0, 0), how);
  if (strcmp(how, "set-mm") == 0) verdict(prctl(PR_SET_MM, PR_SET_MM_BRK, 0x1000000, 0, 0), how);
  broken("no such way: %s", how);
}

/* ---- files that lend an identity */

static long suid_file(const char *call, const char *path, mode_t mode) {
  const int fd = open(path, O_RDWR | O_CREAT, 0755);
  if (strcmp(call, "chmod") == 0) return syscall(SYS_chmod, path, mode);
  if (strcmp(call, "fchmod") == 0) return syscall(SYS_fchmod, fd, mode);
  if (strcmp(call, "fchmodat") == 0) return syscall(SYS_fchmodat, AT_FDCWD, path, mode);
  if (strcmp(call, "fchmodat2") == 0) return syscall(452, AT_FDCWD, path, mode, 0);
  unlink(path);
  if (strcmp(call, "open") == 0) return syscall(SYS_open, path, O_WRONLY | O_CREAT, mode);
  if (strcmp(call, "openat") == 0) return syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT, mode);
  if (strcmp(call, "creat") == 0) return syscall(SYS_creat, path, mode);
  if (strcmp(call, "mknod") == 0) return syscall(SYS_mknod, path, S_IFREG | mode, 0);
  if (strcmp(call, "mknodat") == 0) return syscall(SYS_mknodat, AT_FDCWD, path, S_IFREG | mode, 0);
  if (strcmp(call, "mkdir") == 0) return syscall(SYS_mkdir, path, mode);
  if (strcmp(call, "mkdirat") == 0) return syscall(SYS_mkdirat, AT_FDCWD, path, mode);
  if (strcmp(call, "openat2") == 0) {
    const struct open_how how = {.flags = O_WRONLY | O_CREAT, .mode = mode};
    return syscall(437, AT_FDCWD, path, &how, sizeof how);
  }
  if (strcmp(call, "tmpfile") == 0) {
    char folder[4096], magic[64];
    snprintf(folder, sizeof folder, "%s", path);
    *strrchr(folder, '/') = 0;
    const long unnamed = syscall(SYS_open, folder, O_TMPFILE | O_RDWR, mode);
    snprintf(magic, sizeof magic, "/proc/self/fd/%ld", unnamed);
    return unnamed < 0 ? -1 : linkat(AT_FDCWD, magic, AT_FDCWD, path, AT_SYMLINK_FOLLOW);
  }
  broken("no such call: %s", call);
}

/* The result on disk counts, not what the call said: a directory's or a umask's doing is no attack. */
static void special_mode(char **arguments) {
  const char *call = need(arguments, 0), *path = need(arguments, 1);
  const mode_t mode = (mode_t)number(need(arguments, 2));
  umask(0);
  errno = 0;
  const long result = suid_file(call, path, mode);
  const int error = errno;
  struct stat status;
  if (stat(path, &status) == 0 && (status.st_mode & (S_ISUID | S_ISGID)))
    allowed("%s is mode %o of uid %u", path, status.st_mode & 07777, status.st_uid);
  denied(result < 0 ? error : 0, "%s %s", call, path);
}

static void plain_mode(char **arguments) {
  const char *call = need(arguments, 0), *path = need(arguments, 1);
  umask(0);
  verdict(suid_file(call, path, 0755), call);
}

/* A file capability is setuid by another name: it needs CAP_SETFCAP over the file's own user namespace. */
static void file_capability(char **arguments) {
  const char *path = need(arguments, 0);
  const struct vfs_cap_data all = {.magic_etc = VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE,
                                   .data = {{0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}}};
  close(open(path, O_RDWR | O_CREAT, 0755));
  verdict(setxattr(path, "security.capability", &all, sizeof all, 0), "security.capability");
}

/* Run by the setuid copy of this program. */
static void who_am_i(char **arguments) {
  (void)arguments;
  if (geteuid() == 0) allowed("root");
  denied(EPERM, "still uid %u", geteuid());
}

static void run_setuid(char **arguments) {
  const char *program = need(arguments, 0);
  char *words[] = {(char *)program, "who-am-i", NULL}, *empty[] = {NULL};
  execve(program, words, empty);
  denied(errno, "%s", program);
}

const struct attack identity_attacks[] = {
    {"capabilities", ": has any", capabilities},
    {"status-is-not", "FIELD NUMBER: /proc/self/status says another", status_is},
    {"in-group", "GID: is still a member", groups},
    {"become-root", "setuid|setgid|setreuid|setresuid|setresgid|setgroups|setfsuid", become},
    {"powers", "capset|ambient|securebits|set-mm", powers},
    {"special-mode", "CALL PATH MODE: makes a setuid or setgid file", special_mode},
    {"plain-mode", "CALL PATH: makes an ordinary one", plain_mode},
    {"file-capability", "PATH", file_capability},
    {"who-am-i", ": is root", who_am_i},
    {"run-setuid", "PROGRAM: is root after that", run_setuid},
    {NULL, NULL, NULL},
};
