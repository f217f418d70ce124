/* The dispatcher of the attacks and the few lines all of them need. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "attack.h"

static const struct attack *const groups[] = {
    abi_attacks,       descriptor_attacks, identity_attacks, ipc_attacks,    landlock_attacks,
    lifecycle_attacks, mount_attacks,      notify_attacks,   resource_attacks, secret_attacks, sibling_attacks,
    socket_attacks,
};

/* Plugin bytes in a detail must not forge a second line. */
static void print_verdict(const char *outcome, int error, const char *format, va_list values) {
  char detail[512];
  vsnprintf(detail, sizeof detail, format, values);
  for (char *byte = detail; *byte; byte++)
    if ((unsigned char)*byte < ' ') *byte = ' ';
  const char *name = error ? strerrorname_np(error) : "-";
  dprintf(STDOUT_FILENO, "VERDICT %s %s %s\n", outcome, name ? name : "?", detail);
}

void allowed(const char *format, ...) {
  va_list values;
  va_start(values, format);
  print_verdict("allowed", 0, format, values);
  va_end(values);
  exit(0);
}

void denied(int error, const char *format, ...) {
  va_list values;
  va_start(values, format);
  print_verdict("denied", error, format, values);
  va_end(values);
  exit(0);
}

void verdict(long result, const char *what) {
  if (result < 0) denied(errno, "%s", what);
  allowed("%s", what);
}

void broken(const char *format, ...) {
  va_list values;
  va_start(values, format);
  vdprintf(STDERR_FILENO, format, values);
  dprintf(STDERR_FILENO, "\n");
  va_end(values);
  exit(3);
}

const char *need(char **arguments, int index) {
  for (int i = 0; i <= index; i++)
    if (!arguments[i]) broken("argument %d is missing", index + 1);
  return arguments[index];
}

long number(const char *text) {
  char *end;
  errno = 0;
  const long value = (long)strtoul(text, &end, 0);
  if (errno || *end || end == text) broken("not a number: %s", text);
  return value;
}

void give_away(int fd) {
  if (fd < 0) denied(errno, "open");
  char bytes[120];
  const ssize_t length = read(fd, bytes, sizeof bytes - 1);
  if (length < 0) denied(errno, "read");
  if (length == 0) denied(ENODATA, "opened, but it is empty");
  bytes[length] = 0;
  allowed("%s", bytes);
}

int wait_for(const char *path) {
  const struct timespec pause = {0, 2000000};
  for (int tries = 0; tries < 2500; tries++) {
    if (access(path, F_OK) == 0) return 0;
    nanosleep(&pause, NULL);
  }
  return -1;
}

static const struct attack *find(const char *name) {
  for (size_t group = 0; group < sizeof groups / sizeof *groups; group++)
    for (const struct attack *attack = groups[group]; attack->name; attack++)
      if (strcmp(attack->name, name) == 0) return attack;
  return NULL;
}

static void list_all(void) {
  for (size_t group = 0; group < sizeof groups / sizeof *groups; group++)
    for (const struct attack *attack = groups[group]; attack->name; attack++)
      printf("%-20s %s\n", attack->name, attack->usage);
}

/* `--after READY GO`: makes the file READY, then waits for GO, so that the host can change things under a live jail. */
static char **synchronise(char **arguments) {
  if (!*arguments || strcmp(*arguments, "--after") != 0) return arguments;
  const char *ready = need(arguments, 1), *go = need(arguments, 2);
  const int fd = open(ready, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
  if (fd < 0) broken("cannot make %s: %m", ready);
  close(fd);
  if (wait_for(go) != 0) broken("%s never came", go);
  return arguments + 3;
}

int main(int count, char **arguments) {
  if (count < 2) return list_all(), 0;
  char **words = synchronise(arguments + 1);
  const struct attack *attack = find(need(words, 0));
  if (!attack) broken("no such attack: %s", words[0]);
  attack->run(words + 1);
  broken("%s ended without a verdict", attack->name);
}
