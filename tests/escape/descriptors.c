/*
 * Descriptors are rights that no path check sees again: what the launcher inherited or opened itself, what the standard
 * streams really are, what another process holds, and the launcher's own program (CVE-2019-5736). A terminal is a
 * descriptor through which one types into somebody else's shell (CVE-2017-5226, CVE-2023-28100).
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/tiocl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "attack.h"

static void read_descriptor(char **arguments) {
  const int fd = (int)number(need(arguments, 0));
  if (lseek(fd, 0, SEEK_SET) < 0 && errno == EBADF) denied(errno, "descriptor %d", fd);
  give_away(fd);
}

/* Any descriptor at all beside the standard ones; 1 << 20 is the default fs.nr_open, no process has more. */
static void any_descriptor(char **arguments) {
  (void)arguments;
  for (int fd = 3; fd < 1 << 20; fd++) {
    if (fcntl(fd, F_GETFD) < 0) continue;
    char magic[64], what[256] = "?";
    snprintf(magic, sizeof magic, "/proc/self/fd/%d", fd);
    const ssize_t length = readlink(magic, what, sizeof what - 1);
    allowed("descriptor %d is %.*s", fd, (int)length, what);
  }
  denied(EBADF, "none above 2");
}

/* A directory among the standard streams is a way past every mount. */
static void open_beneath(char **arguments) {
  give_away(openat((int)number(need(arguments, 0)), need(arguments, 1), O_RDONLY));
}

/* A stream that was handed over for one direction is opened again for the other. */
static void reopen(char **arguments) {
  const char *mode = need(arguments, 1);
  char magic[64];
  snprintf(magic, sizeof magic, "/proc/self/fd/%s", need(arguments, 0));
  const int fd = open(magic, strcmp(mode, "read") == 0 ? O_RDONLY | O_NONBLOCK : O_WRONLY | O_NONBLOCK);
  if (fd < 0) denied(errno, "%s for %s", magic, mode);
  if (strcmp(mode, "read") == 0) give_away(fd);
  if (strcmp(mode, "truncate") == 0) verdict(ftruncate(fd, 0), "truncate");
  verdict(write(fd, "forged\n", 7), "write");
}

/* A stream opened for both directions: reads what the host wrote there, or throws it away. */
static void read_back(char **arguments) {
  const int fd = (int)number(need(arguments, 0));
  if (lseek(fd, 0, SEEK_SET) < 0) denied(errno, "lseek");
  give_away(fd);
}
static void truncate_descriptor(char **arguments) {
  verdict(ftruncate((int)number(need(arguments, 0)), 0), "ftruncate");
}

/* SCM_RIGHTS: a socket among the standard streams brings descriptors in from outside. */
static void receive_descriptor(char **arguments) {
  char byte, control[CMSG_SPACE(sizeof(int))];
  struct iovec piece = {&byte, 1};
  struct msghdr message = {
      .msg_iov = &piece, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  if (recvmsg((int)number(need(arguments, 0)), &message, MSG_DONTWAIT) < 0) denied(errno, "recvmsg");
  const struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  if (!header || header->cmsg_type != SCM_RIGHTS) denied(ENODATA, "a message without a descriptor");
  int fd;
  memcpy(&fd, CMSG_DATA(header), sizeof fd);
  give_away(fd);
}

/* A descriptor of another process of the jail, or of the process that made the jail. */
static void steal_descriptor(char **arguments) {
  const char *whose = need(arguments, 0);
  int pair[2];
  if (pipe(pair) != 0) broken("pipe: %m");
  pid_t target = strcmp(whose, "child") == 0 ? fork() : (pid_t)number(whose);
  if (target == 0) {
    pause();
    _exit(0);
  }
  const int child = strcmp(whose, "child") == 0, handle = (int)syscall(434 /* pidfd_open */, target, 0);
  const long stolen = handle < 0 ? -1 : syscall(438 /* pidfd_getfd */, handle, child ? pair[0] : 0, 0);
  const int error = errno;
  if (child) kill(target, SIGKILL);
  errno = error;
  verdict(stolen, whose);
}

static void list_descriptors_of(char **arguments) {
  char folder[64];
  snprintf(folder, sizeof folder, "/proc/%s/fd", need(arguments, 0));
  DIR *listing = opendir(folder);
  if (!listing) denied(errno, "%s", folder);
  int found = 0;
  for (const struct dirent *entry; (entry = readdir(listing));) found += entry->d_name[0] != '.';
  if (!found) denied(errno ? errno : ENOENT, "%s is empty", folder);
  allowed("%s holds %d", folder, found);
}

/* CVE-2019-5736: the program that runs us is opened through /proc while it waits, then written. */
static void overwrite_program(char **arguments) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%s/exe", need(arguments, 0));
  const int fd = open(path, O_RDONLY);
  if (fd < 0) denied(errno, "%s", path);
  char again[64];
  snprintf(again, sizeof again, "/proc/self/fd/%d", fd);
  const int writable = open(again, O_WRONLY);
  if (writable < 0) denied(errno, "%s for writing", path);
  allowed("%s can be written", path);
}

/* ---- the terminal */

static void fake_input(char **arguments) {
  const int fd = (int)number(need(arguments, 0));
  for (const char *byte = need(arguments, 1); *byte; byte++)
    if (ioctl(fd, TIOCSTI, byte) != 0) denied(errno, "TIOCSTI on %d", fd);
  allowed("typed into descriptor %d", fd);
}

/* The virtual console's paste: elsewhere ENOTTY says that the call came through. */
static void paste(char **arguments) {
  char request[] = {TIOCL_PASTESEL};
  if (ioctl((int)number(need(arguments, 0)), TIOCLINUX, request) == 0) allowed("TIOCLINUX");
  if (errno == ENOTTY || errno == EINVAL || errno == EIO) allowed("TIOCLINUX was reached");
  denied(errno, "TIOCLINUX");
}

static void take_terminal(char **arguments) {
  setsid();
  verdict(ioctl((int)number(need(arguments, 0)), TIOCSCTTY, 1), "TIOCSCTTY");
}

/* What the operator types next, read through whichever stream is the terminal. */
static void read_terminal(char **arguments) {
  const int fd = (int)number(need(arguments, 0));
  signal(SIGTTIN, SIG_IGN);
  fcntl(fd, F_SETFL, O_NONBLOCK);
  for (int tries = 0; tries < 500; tries++) {
    char typed[120];
    const ssize_t length = read(fd, typed, sizeof typed - 1);
    if (length > 0) {
      typed[length] = 0;
      allowed("%s", typed);
    }
    if (length < 0 && errno != EAGAIN) denied(errno, "read of %d", fd);
    usleep(2000);
  }
  denied(ENODATA, "nothing to read on %d", fd);
}

static void terminal_settings(char **arguments) {
  const int fd = (int)number(need(arguments, 0));
  struct termios settings;
  if (tcgetattr(fd, &settings) != 0) denied(errno, "tcgetattr");
  settings.c_lflag &= ~(tcflag_t)ECHO;
  verdict(tcsetattr(fd, TCSANOW, &settings), "tcsetattr");
}

static void controlling_terminal(char **arguments) {
  (void)arguments;
  verdict(open("/dev/tty", O_RDWR), "/dev/tty");
}

static void change_mode(char **arguments) {
  verdict(fchmod((int)number(need(arguments, 0)), 0666), "the host must look at its mode");
}

const struct attack descriptor_attacks[] = {
    {"fchmod-fd", "N: lets everybody have what is behind a descriptor", change_mode},
    {"read-fd", "N: reads a descriptor that was not passed", read_descriptor},
    {"any-fd", ": finds a descriptor above 2", any_descriptor},
    {"open-beneath", "N PATH: uses N as a directory", open_beneath},
    {"reopen", "N read|write|truncate: opens a stream for the other direction", reopen},
    {"read-back", "N: reads what is already in an output file", read_back},
    {"truncate-fd", "N: empties an output file", truncate_descriptor},
    {"receive-fd", "N: gets a descriptor through a socket", receive_descriptor},
    {"steal-fd", "PID|child: pidfd_getfd", steal_descriptor},
    {"list-fds-of", "PID: lists /proc/PID/fd", list_descriptors_of},
    {"overwrite-exe", "PID: gets the program of a process for writing", overwrite_program},
    {"fake-input", "N TEXT: types into the terminal", fake_input},
    {"paste", "N: reaches the console's paste", paste},
    {"take-terminal", "N: makes it its own controlling terminal", take_terminal},
    {"read-terminal", "N: reads what is typed", read_terminal},
    {"terminal-settings", "N: turns echo off", terminal_settings},
    {"controlling-tty", ": opens /dev/tty", controlling_terminal},
    {NULL, NULL, NULL},
};
