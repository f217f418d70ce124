// Pipes and open file descriptions: pipe(7), tee(2), splice(2), fcntl(2), kcmp(2), one typed function each.
#pragma once

#include <sys/types.h>

#include <cstddef>

#include "base/fd.h"

namespace jail::sys {

// The same file on a number that is not 0, 1 or 2, where one of these was free.
Fd beyond_stdio(Fd file);

struct Pipe {
  Fd read;
  Fd write;
};
// Both ends close-on-exec and beyond 0-2.
Pipe make_pipe();

// Of a description that is ours alone: everybody who shares one shares its O_NONBLOCK.
void set_nonblocking(const Fd& file);

// The least a pipe can be is one page, which holds one piece of data whatever its size: it can be written to (POLLOUT)
// when, and only when, the reader has taken all of it (measured on Linux 6.18).
void set_least_pipe_size(const Fd& pipe);

// What was written and not yet read (FIONREAD); 0 when that cannot be told.
std::size_t unread_bytes(int pipe) noexcept;

// Shows what stands at the front of one pipe to the readers of another without taking it, at most `most` bytes. 0: no
// writer is left; negative: errno. Never waits.
ssize_t tee(int from, int to, std::size_t most) noexcept;
// Takes at most `most` bytes out of a pipe and drops them into `nowhere` (/dev/null); as above.
ssize_t discard(int from, int nowhere, std::size_t most) noexcept;

// Access mode and status flags (F_GETFL); negative when the descriptor is closed.
int status_flags(int fd) noexcept;

// Whether two descriptors share one open file description, and so its position and its order of writes (KCMP_FILE,
// Linux 3.5). False where kcmp is refused.
bool same_description(int one, int other) noexcept;

// A description of our own of the same file (proc(5), /proc/self/fd): empty with errno where /proc or the file
// forbids it.
Fd reopen(int fd, int flags) noexcept;

}  // namespace jail::sys
