#include "audit/sink.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <csignal>
#include <utility>

#include "base/clock.h"

namespace jail::audit {
namespace {

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
int Sink::append_to_file(std::string_view framed) noexcept {
  std::string_view bytes = tail_ == Tail::Torn ? framed : framed.substr(1);
  const std::size_t whole = bytes.size();
  while (!bytes.empty()) {
    const Taken step = attempt(sort_, fd_.get(), bytes);
    if (step.error == 0) bytes.remove_prefix(static_cast<std::size_t>(step.bytes));
    if (step.error == 0) since_ += static_cast<std::uint64_t>(step.bytes);
    if (step.error == EINTR || (step.error == 0 && step.bytes > 0)) continue;
    if (bytes.size() < whole) tail_ = Tail::Torn;
    ++lost_;
    return step.error == 0 ? EIO : step.error;
  }
  tail_ = Tail::Clean;
  return 0;
}

int Sink::append(std::string_view framed, Wait wait) noexcept {
  if (is_file()) return append_to_file(framed);
  (void)push_queue();
  if (queued_ + framed.size() > kMostQueued || (!queue_.empty() && stalls_since(kLongestStallNs))) {
    if (stalls_since(kLongestStallNs)) give_up_queue();
    ++lost_;
    return EAGAIN;
  }
  queue_.emplace_back(framed);
  queued_ += framed.size();
  const int error = wait == Wait::Land ? wait_for_queue() : push_queue();
  if (error != EAGAIN) return error;
  if (wait == Wait::Queue) return 0;
  if (queue_.size() == 1 && sent_ > 0) tail_ = Tail::Torn;  // some of it is gone already
  if (queue_.size() == 1) sent_ = 0;
  queued_ -= queue_.back().size();
  queue_.pop_back();
  ++lost_;
  return EAGAIN;
}

// EAGAIN where something is left. After any other error nothing is: nobody is there to take it.
int Sink::push_queue() noexcept {
  while (!queue_.empty()) {
    if (sent_ == 0 && tail_ == Tail::Clean) sent_ = 1;
    const Taken step = attempt(sort_, fd_.get(), std::string_view(queue_.front()).substr(sent_));
    if (step.error == EINTR) continue;
    if (step.error == EAGAIN && full_since_ == 0) full_since_ = clock::boottime_ns();
    if (step.error == EAGAIN) return EAGAIN;
    if (step.error != 0 || step.bytes == 0) {
      give_up_queue();
      return step.error == 0 ? EIO : step.error;
    }
    full_since_ = 0;
    sent_ += static_cast<std::size_t>(step.bytes);
    if (sent_ < queue_.front().size()) continue;
    tail_ = Tail::Clean;
    sent_ = 0;
    queued_ -= queue_.front().size();
    queue_.pop_front();
  }
  return 0;
}

int Sink::wait_for_queue() noexcept {
  for (;;) {
    const int error = push_queue();
    if (error != EAGAIN || !has_room(fd_.get(), full_since_ + kPatienceNs)) return error;
  }
}

void Sink::give_up_queue() noexcept {
  if (sent_ > 1) tail_ = Tail::Torn;
  lost_ += queue_.size();
  queue_.clear();
  queued_ = sent_ = 0;
}

bool Sink::stalls_since(std::uint64_t limit_ns) const noexcept {
  return full_since_ != 0 && clock::boottime_ns() - full_since_ > limit_ns;
}

void Sink::flush() noexcept {
  if (push_queue() == EAGAIN && stalls_since(kLongestStallNs)) give_up_queue();
}

void Sink::settle() noexcept {
  if (wait_for_queue() == EAGAIN) give_up_queue();
}

void Sink::move_on(Fd next) {
  left_.push_back(std::exchange(fd_, std::move(next)));
  tail_ = Tail::Clean;
  since_ = kLookEvery;
  if (reserved_) reserve();
}

std::uint64_t Sink::size() noexcept { return since_ < kLookEvery ? seen_ + since_ : look_at_size(); }

std::uint64_t Sink::look_at_size() noexcept {
  struct stat status {};
  const bool known = ::fstat(fd_.get(), &status) == 0 && S_ISREG(status.st_mode);
  seen_ = known ? static_cast<std::uint64_t>(status.st_size) : 0;
  since_ = 0;
  return seen_;
}

// fallocate(2): blocks beyond the end, which appended records then use. Runs that share a file share what is kept.
void Sink::reserve() noexcept {
  if (!is_file()) return;
  const std::uint64_t end = look_at_size();
  const Without guard(SIGXFSZ);
  const int result =
      ::fallocate(fd_.get(), FALLOC_FL_KEEP_SIZE, static_cast<off_t>(end), static_cast<off_t>(kReserve));
  if (result == 0) reserved_ = end + kReserve;
  else if (errno != ENOSPC && errno != EDQUOT && errno != EFBIG) reserved_.reset();  // not for this file system
  else if (!reserved_) reserved_ = end;
}

bool Sink::is_scarce() noexcept {
  if (!reserved_ || size() + kScarce <= *reserved_) return false;
  reserve();
  return reserved_ && size() + kScarce > *reserved_;
}

}  // namespace jail::audit
