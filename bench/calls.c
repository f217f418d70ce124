/* FILE [alone]: what a call costs in here. Prints the nanoseconds of getpid(2) and of open(2) + close(2) of the file,
 * each the median of nine rounds. Alone: in its own time of the processor, where nobody else has to answer; and, third,
 * of a socket's life with one datagram to this machine itself. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { ROUNDS = 9, CALLS = 20000, SOCKETS = 4000 };

static clockid_t clock_used = CLOCK_MONOTONIC;

static double now_ns(void) {
  struct timespec time;
  clock_gettime(clock_used, &time);
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

static void use_socket(const char *path) {
  (void)path;
  const struct sockaddr_in here = {
      .sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int udp = socket(AF_INET, SOCK_DGRAM, 0);
  if (udp < 0 || connect(udp, (const struct sockaddr *)&here, sizeof here) != 0) {
    perror("socket");
    exit(1);
  }
  if (send(udp, "x", 1, 0) < 0) exit(1);
  close(udp);
}

static double median_ns(void (*call)(const char *), const char *path, int calls) {
  double rounds[ROUNDS];
  for (int round = 0; round < ROUNDS; ++round) {
    double start = now_ns();
    for (int i = 0; i < calls; ++i) call(path);
    rounds[round] = (now_ns() - start) / calls;
  }
  qsort(rounds, ROUNDS, sizeof *rounds, by_value);
  return rounds[ROUNDS / 2];
}

int main(int argc, char **argv) {
  if (argc < 2) return 2;
  if (argc > 2) clock_used = CLOCK_PROCESS_CPUTIME_ID;
  printf("%.1f %.1f", median_ns(call_getpid, argv[1], CALLS), median_ns(call_open, argv[1], CALLS));
  if (argc > 2) printf(" %.1f", median_ns(use_socket, argv[1], SOCKETS));
  putchar('\n');
  return 0;
}
