/* What a call costs in here: prints the nanoseconds of getpid(2), and of open(2) + close(2) of the file given, each the
 * median of nine rounds. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { ROUNDS = 9, CALLS = 20000 };

static double now_ns(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static int by_value(const void *a, const void *b) {
  double difference = *(const double *)a - *(const double *)b;
  return difference < 0 ? -1 : difference > 0;
}

static void call_getpid(const char *path) {
  (void)path;
  syscall(SYS_getpid);
}

static void call_open(const char *path) {
  int file = open(path, O_RDONLY);
  if (file < 0) {
    perror(path);
    exit(1);
  }
  close(file);
}

static double median_ns(void (*call)(const char *), const char *path) {
  double rounds[ROUNDS];
  for (int round = 0; round < ROUNDS; ++round) {
    double start = now_ns();
    for (int i = 0; i < CALLS; ++i) call(path);
    rounds[round] = (now_ns() - start) / CALLS;
  }
  qsort(rounds, ROUNDS, sizeof *rounds, by_value);
  return rounds[ROUNDS / 2];
}

int main(int argc, char **argv) {
  if (argc != 2) return 2;
  printf("%.1f %.1f\n", median_ns(call_getpid, argv[1]), median_ns(call_open, argv[1]));
  return 0;
}
