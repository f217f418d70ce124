#include "run/stdio_offer.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <span>

#include "sys/pipe.h"

namespace jail::run {
namespace {

// A page: what the least pipe holds.
constexpr std::size_t kPiece = 4096;
// Pieces a call, before the rest of the supervisor's loop has its turn.
constexpr int kRounds = 64;

ssize_t look(int source, Peek peek, std::span<std::byte> room) noexcept {
  if (peek == Peek::Socket) return ::recv(source, room.data(), room.size(), MSG_PEEK | MSG_DONTWAIT);
  return ::pread(source, room.data(), room.size(), ::lseek(source, 0, SEEK_CUR));
}

}  // namespace

void Offer::add_to(std::vector<pollfd>& polled) const {
  if (ended_) return;
  if (shown_ == 0) polled.push_back({source_, POLLIN, 0});
  polled.push_back({pipe_, static_cast<short>(shown_ == 0 ? 0 : POLLOUT), 0});
}

void Offer::handle(const std::vector<pollfd>& polled) {
  if (ended_) return;
  const short pipe = revents_of(polled, pipe_);
  if (is_gone(pipe)) {
    settle();
    ended_ = true;
    return;
  }
  if (shown_ == 0 && revents_of(polled, source_) == 0) return;
  if (shown_ != 0 && (pipe & POLLOUT) == 0) return;
  for (int round = 0; round < kRounds && !ended_; ++round) {
    if (shown_ != 0 && (readiness(pipe_, POLLOUT) & POLLOUT) == 0) return;
    take(shown_);
    show();
    if (shown_ == 0) return;
  }
}

void Offer::show() noexcept {
  const ssize_t shown = peek_ == Peek::Pipe ? sys::tee(source_, pipe_, kPiece) : copy();
  if (shown > 0) shown_ = static_cast<std::size_t>(shown);
  else if (shown == 0 || (errno != EAGAIN && errno != EINTR)) ended_ = true;
}

ssize_t Offer::copy() noexcept {
  std::array<std::byte, kPiece> piece;
  const ssize_t size = look(source_, peek_, piece);
  return size > 0 ? ::write(pipe_, piece.data(), static_cast<std::size_t>(size)) : size;
}

void Offer::settle() noexcept {
  if (shown_ == 0) return;
  take(shown_ - std::min(shown_, sys::unread_bytes(pipe_)));
  shown_ = 0;
}

// A pipe or socket may hold less by now, where somebody else reads it, too: nothing here waits for more.
void Offer::take(std::size_t size) noexcept {
  std::array<std::byte, kPiece> piece;
  shown_ = 0;
  if (size == 0) return;
  switch (peek_) {
    case Peek::Pipe: (void)sys::discard(source_, nowhere_, size); return;
    case Peek::Socket: (void)::recv(source_, piece.data(), std::min(size, piece.size()), MSG_DONTWAIT); return;
    case Peek::File: (void)::lseek(source_, static_cast<off_t>(size), SEEK_CUR); return;
  }
}

}  // namespace jail::run
