/* RATE SECONDS PATH...: opens the files in turn, so many a second, if the machine can, and prints how many it did. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 300 };

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

int main(int argc, char **argv) {
  if (argc < 4) return 2;
  const double rate = atof(argv[1]), seconds = atof(argv[2]), start = now();
  long opened = 0;
  for (double passed = 0; passed < seconds; passed = now() - start) {
    if ((double)opened > rate * passed) continue;
    for (int i = 0; i < BATCH; ++i, ++opened) {
      int file = open(argv[3 + opened % (argc - 3)], O_RDONLY);
      if (file < 0) return 1;
      close(file);
    }
  }
  printf("%ld %.3f\n", opened, now() - start);
  return 0;
}
