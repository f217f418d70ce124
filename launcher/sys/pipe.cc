#include "sys/pipe.h"

#include <fcntl.h>
#include <linux/kcmp.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdio>

#include "base/error.h"

namespace jail::sys {

Fd beyond_stdio(Fd file) {
  if (!file || file.get() > STDERR_FILENO) return file;
  return duplicate(file.get());
}

Pipe make_pipe() {
  int ends[2];
  check(::pipe2(ends, O_CLOEXEC), "pipe2");
  Fd read(ends[0]);
  Fd write(ends[1]);
  return {beyond_stdio(std::move(read)), beyond_stdio(std::move(write))};
}

void set_nonblocking(const Fd& file) {
  const int flags = check(::fcntl(file.get(), F_GETFL), "fcntl F_GETFL");
  check(::fcntl(file.get(), F_SETFL, flags | O_NONBLOCK), "fcntl F_SETFL");
}

void set_least_pipe_size(const Fd& pipe) { check(::fcntl(pipe.get(), F_SETPIPE_SZ, 1), "fcntl F_SETPIPE_SZ"); }

std::size_t unread_bytes(int pipe) noexcept {
  int bytes = 0;
  return ::ioctl(pipe, FIONREAD, &bytes) == 0 && bytes > 0 ? static_cast<std::size_t>(bytes) : 0;
}

ssize_t tee(int from, int to, std::size_t most) noexcept {
  return TEMP_FAILURE_RETRY(::tee(from, to, most, SPLICE_F_NONBLOCK));
}

ssize_t discard(int from, int nowhere, std::size_t most) noexcept {
  return TEMP_FAILURE_RETRY(::splice(from, nullptr, nowhere, nullptr, most, SPLICE_F_NONBLOCK));
}

int status_flags(int fd) noexcept { return ::fcntl(fd, F_GETFL); }

bool same_description(int one, int other) noexcept {
  const pid_t self = ::getpid();
  return ::syscall(SYS_kcmp, self, self, KCMP_FILE, one, other) == 0;
}

Fd reopen(int fd, int flags) noexcept {
  char path[32];
  (void)std::snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  return Fd(::open(path, flags | O_CLOEXEC | O_NOCTTY));
}

}  // namespace jail::sys
