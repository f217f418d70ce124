#include "run/stdio_relay.h"

#include <cstring>

namespace jail::run {
namespace {

// How often one direction is moved before the others and the rest of the supervisor's loop have their turn: 1 MiB.
constexpr int kRounds = 16;

}  // namespace

std::span<std::byte> Buffer::room() {
  if (!bytes_) bytes_ = std::make_unique_for_overwrite<std::byte[]>(kSize);
  if (end_ == kSize && begin_ > 0) {
    std::memmove(bytes_.get(), bytes_.get() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  return {bytes_.get() + end_, kSize - end_};
}

void Buffer::remove(std::size_t size) noexcept {
  begin_ += size;
  if (begin_ == end_) clear();
}

void Relay::add_to(std::vector<pollfd>& polled) const {
  if (sink_gone_ || state() != State::Going) return;
  if (may_read()) polled.push_back({source_.fd, POLLIN, 0});
  // Without events, too: a reader that goes away is told at once, not at the next write.
  polled.push_back({sink_.fd, static_cast<short>(buffer_.empty() ? 0 : POLLOUT), 0});
}

std::size_t Relay::handle(const std::vector<pollfd>& polled) {
  if (state() != State::Going) return 0;
  if (is_gone(revents_of(polled, sink_.fd))) {
    sink_gone_ = true;
    return 0;
  }
  if (revents_of(polled, source_.fd) == 0) return flush();
  std::size_t moved = 0;
  for (int round = 0; round < kRounds; ++round) {
    const bool more = fill();
    const std::size_t taken = flush();
    moved += taken;
    if (!more || taken == 0) break;
  }
  return moved;
}

bool Relay::fill() {
  if (!may_read()) return false;
  const Moved moved = take(source_, buffer_.room());
  buffer_.add(moved.bytes);
  if (moved.state == Moved::State::Ended) source_ended_ = true;
  return moved.state == Moved::State::Going;
}

std::size_t Relay::flush() {
  if (buffer_.empty()) return 0;
  const Moved moved = give(sink_, buffer_.bytes());
  if (moved.state == Moved::State::Ended) sink_gone_ = true;
  if (questions_ != nullptr) questions_->shown(buffer_.bytes().first(moved.bytes));
  buffer_.remove(moved.bytes);
  return moved.bytes;
}

bool Relay::pending() const noexcept {
  if (state() != State::Going) return false;
  return !buffer_.empty() || (readiness(source_.fd, POLLIN) & POLLIN) != 0;
}

Relay::State Relay::state() const noexcept {
  if (sink_gone_) return State::SinkGone;
  return source_ended_ && buffer_.empty() ? State::SourceEnded : State::Going;
}

}  // namespace jail::run
