#include "audit/sink.h"

#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/clock.h"

namespace jail::audit {
namespace {

constexpr std::uint64_t kPatienceNs = 200'000'000;

// Keeps the SIGPIPE of a write to a pipe without reader from ending the supervisor, whatever its disposition is; one
// that was pending before stays.
class WithoutSigpipe {
 public:
  WithoutSigpipe() noexcept {
    sigemptyset(&sigpipe_);
    sigaddset(&sigpipe_, SIGPIPE);
    sigset_t pending;
    sigpending(&pending);
    was_pending_ = sigismember(&pending, SIGPIPE) == 1;
    pthread_sigmask(SIG_BLOCK, &sigpipe_, &before_);
  }
  ~WithoutSigpipe() {
    const timespec now{};
    if (!was_pending_) (void)sigtimedwait(&sigpipe_, nullptr, &now);
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  WithoutSigpipe(const WithoutSigpipe&) = delete;
  WithoutSigpipe& operator=(const WithoutSigpipe&) = delete;

 private:
  sigset_t sigpipe_;
  sigset_t before_;
  bool was_pending_ = false;
};

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

ssize_t write_shared(int fd, std::string_view bytes) noexcept {
  if (!has_room(fd, 0)) {
    errno = EAGAIN;
    return -1;
  }
  // A pipe that is ready has room for PIPE_BUF bytes (pipe(7)), so this does not block while nobody else writes to it.
  return ::write(fd, bytes.data(), std::min<std::size_t>(bytes.size(), PIPE_BUF));
}

}  // namespace

// One attempt: 0 and how much was taken, or errno.
int Sink::put(std::string_view bytes, std::size_t& taken) const noexcept {
  ssize_t done = -1;
  if (sort_ == Sort::File) {
    done = ::write(fd_.get(), bytes.data(), bytes.size());
  } else if (sort_ == Sort::Socket) {
    done = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  } else {
    const WithoutSigpipe guard;
    done = sort_ == Sort::Own ? ::write(fd_.get(), bytes.data(), bytes.size()) : write_shared(fd_.get(), bytes);
    if (done < 0) return errno;  // before the guard's own calls change it
  }
  if (done < 0) return errno;
  taken = static_cast<std::size_t>(done);
  return 0;
}

// A file that took only part is asked for the rest as well: that is how it tells why (write(2): ENOSPC, EDQUOT, EFBIG).
int Sink::push(std::string_view bytes) noexcept {
  const std::uint64_t deadline = patience_ == Patience::Some ? clock::boottime_ns() + kPatienceNs : 0;
  const std::size_t whole = bytes.size();
  while (!bytes.empty()) {
    std::size_t taken = 0;
    const int error = put(bytes, taken);
    bytes.remove_prefix(taken);
    if (error == 0 && taken > 0) continue;
    if (error == EINTR) continue;
    if (error == EAGAIN && has_room(fd_.get(), deadline)) continue;
    if (bytes.size() < whole) tail_ = Tail::Torn;
    return error == 0 ? EIO : error;
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
