#include "audit/sink.h"

#include <poll.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <csignal>

#include "base/clock.h"

namespace jail::audit {
namespace {

constexpr std::uint64_t kPatienceNs = 200'000'000;

// Keeps the signal by which a write fails (SIGPIPE without reader, SIGXFSZ beyond a limit) from ending the supervisor,
// whatever its disposition is; one that was pending before stays.
class Without {
 public:
  explicit Without(int signal) noexcept {
    sigemptyset(&signal_);
    sigaddset(&signal_, signal);
    sigset_t pending;
    sigpending(&pending);
    was_pending_ = sigismember(&pending, signal) == 1;
    pthread_sigmask(SIG_BLOCK, &signal_, &before_);
  }
  ~Without() {
    const timespec now{};
    if (!was_pending_) (void)sigtimedwait(&signal_, nullptr, &now);
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  Without(const Without&) = delete;
  Without& operator=(const Without&) = delete;

 private:
  sigset_t signal_;
  sigset_t before_;
  bool was_pending_ = false;
};

// What a system call took, or errno: read before anything else can change it.
struct Taken {
  ssize_t bytes;
  int error;
};
Taken taken(ssize_t result) noexcept { return {result, result < 0 ? errno : 0}; }

// Whether it takes something before `deadline` (CLOCK_BOOTTIME, ns). An error or a hang-up counts as yes: the write
// tells which.
bool has_room(int fd, std::uint64_t deadline) noexcept {
  pollfd wanted{.fd = fd, .events = POLLOUT, .revents = 0};
  for (;;) {
    const std::uint64_t now = clock::boottime_ns();
    const std::uint64_t left = now < deadline ? deadline - now : 0;
    const int ready = ::poll(&wanted, 1, static_cast<int>((left + 999'999) / 1'000'000));
    if (ready > 0) return true;
    if (ready == 0 || errno != EINTR) return false;
  }
}

Taken write_plain(int fd, std::string_view bytes) noexcept { return taken(::write(fd, bytes.data(), bytes.size())); }

Taken write_shared(int fd, std::string_view bytes) noexcept {
  if (!has_room(fd, 0)) return {0, EAGAIN};
  // A pipe that is ready has room for PIPE_BUF bytes (pipe(7)), so this does not block while nobody else writes to it.
  return write_plain(fd, bytes.substr(0, PIPE_BUF));
}

Taken attempt(Sink::Sort sort, int fd, std::string_view bytes) noexcept {
  if (sort == Sink::Sort::File) return write_plain(fd, bytes);
  if (sort == Sink::Sort::Socket) return taken(::send(fd, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL));
  const Without guard(sort == Sink::Sort::LimitedFile ? SIGXFSZ : SIGPIPE);
  return sort == Sink::Sort::Shared ? write_shared(fd, bytes) : write_plain(fd, bytes);
}

}  // namespace

Sink::Sort Sink::sort_of_files() noexcept {
  rlimit limit{};
  const bool limited = ::getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY;
  return limited ? Sort::LimitedFile : Sort::File;
}

// A file that took only part is asked for the rest as well: that is how it tells why (write(2): ENOSPC, EDQUOT, EFBIG).
int Sink::push(std::string_view bytes) noexcept {
  const std::uint64_t deadline = patience_ == Patience::Some ? clock::boottime_ns() + kPatienceNs : 0;
  const std::size_t whole = bytes.size();
  while (!bytes.empty()) {
    const Taken step = attempt(sort_, fd_.get(), bytes);
    if (step.error == 0) bytes.remove_prefix(static_cast<std::size_t>(step.bytes));
    if (step.error == 0 && step.bytes > 0) continue;
    if (step.error == EINTR) continue;
    if (step.error == EAGAIN && has_room(fd_.get(), deadline)) continue;
    if (bytes.size() < whole) tail_ = Tail::Torn;
    return step.error == 0 ? EIO : step.error;
  }
  return 0;
}

int Sink::append(std::string_view framed) noexcept {
  const int error = push(tail_ == Tail::Torn ? framed : framed.substr(1));
  if (error == 0) {
    tail_ = Tail::Clean;
    patience_ = Patience::Some;
  } else {
    ++lost_;
    if (error == EAGAIN) patience_ = Patience::None;
  }
  return error;
}

}  // namespace jail::audit
