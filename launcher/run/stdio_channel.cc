#include "run/stdio_channel.h"

#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>

namespace jail::run {
namespace {

Moved judge(ssize_t result) noexcept {
  if (result > 0) return {Moved::State::Going, static_cast<std::size_t>(result)};
  if (result < 0 && (errno == EAGAIN || errno == EINTR)) return {Moved::State::Waits, 0};
  return {Moved::State::Ended, 0};
}

// A call on a shared description may wait although poll(2) found it ready: somebody else was faster, or a terminal has
// room for less than is written. A timer then interrupts it. It repeats, for the first signal may come before the call.
class Impatience {
 public:
  Impatience() noexcept {
    struct sigaction interrupt {};
    interrupt.sa_handler = [](int) {};
    (void)::sigaction(SIGALRM, &interrupt, nullptr);
    sigset_t alarm;
    sigemptyset(&alarm);
    sigaddset(&alarm, SIGALRM);
    (void)::sigprocmask(SIG_UNBLOCK, &alarm, nullptr);
    run(kPatienceUs);
  }
  ~Impatience() { run(0); }
  Impatience(const Impatience&) = delete;
  Impatience& operator=(const Impatience&) = delete;

 private:
  static constexpr suseconds_t kPatienceUs = 10'000;

  static void run(suseconds_t us) noexcept {
    const itimerval every{.it_interval = {0, us}, .it_value = {0, us}};
    (void)::setitimer(ITIMER_REAL, &every, nullptr);
  }
};

// A pipe that is ready takes at least PIPE_BUF bytes (pipe(7)), unless somebody else writes between the two calls:
// RWF_NOWAIT refuses then, where the file knows it (on Linux 6.18 pipes do and terminals do not: measured).
ssize_t write_little(int fd, std::span<const std::byte> bytes) noexcept {
  iovec piece{const_cast<std::byte*>(bytes.data()), std::min<std::size_t>(bytes.size(), PIPE_BUF)};
  const ssize_t written = ::pwritev2(fd, &piece, 1, -1, RWF_NOWAIT);
  if (written >= 0 || (errno != EOPNOTSUPP && errno != ENOSYS)) return written;
  const Impatience impatience;
  return ::write(fd, piece.iov_base, piece.iov_len);
}

ssize_t read_soon(int fd, std::span<std::byte> room) noexcept {
  const Impatience impatience;
  return ::read(fd, room.data(), room.size());
}

bool may_wait(const Channel& channel, short events) noexcept {
  return channel.manner == Manner::Borrowed && readiness(channel.fd, events) == 0;
}

}  // namespace

Moved take(const Channel& source, std::span<std::byte> room) noexcept {
  if (may_wait(source, POLLIN)) return {};
  if (source.manner == Manner::Socket) return judge(::recv(source.fd, room.data(), room.size(), MSG_DONTWAIT));
  if (source.manner == Manner::Borrowed) return judge(read_soon(source.fd, room));
  return judge(::read(source.fd, room.data(), room.size()));
}

Moved give(const Channel& sink, std::span<const std::byte> bytes) noexcept {
  if (may_wait(sink, POLLOUT)) return {};
  switch (sink.manner) {
    case Manner::Socket: return judge(::send(sink.fd, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL));
    case Manner::Borrowed: return judge(write_little(sink.fd, bytes));
    case Manner::Own:
    case Manner::File: break;
  }
  return judge(::write(sink.fd, bytes.data(), bytes.size()));
}

short readiness(int fd, short events) noexcept {
  pollfd one{fd, events, 0};
  return ::poll(&one, 1, 0) > 0 ? one.revents : static_cast<short>(0);
}

short revents_of(const std::vector<pollfd>& polled, int fd) noexcept {
  int revents = 0;
  for (const pollfd& one : polled)
    if (one.fd == fd) revents |= one.revents;
  return static_cast<short>(revents);
}

bool is_gone(short revents) noexcept { return (revents & (POLLERR | POLLHUP | POLLNVAL)) != 0; }

}  // namespace jail::run
