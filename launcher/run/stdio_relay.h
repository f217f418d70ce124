// One direction: from a source through a bounded buffer to a sink. A full buffer is back-pressure: the source is not
// read, so that whoever writes there waits as if it wrote to the sink itself.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "run/stdio_channel.h"
#include "run/stdio_questions.h"

namespace jail::run {

// Bytes in the order they came. The memory is taken when the first byte comes and left uninitialised.
class Buffer {
 public:
  static constexpr std::size_t kSize = 64 * 1024;  // as a pipe's

  [[nodiscard]] bool empty() const noexcept { return begin_ == end_; }
  [[nodiscard]] bool full() const noexcept { return end_ - begin_ == kSize; }
  [[nodiscard]] std::span<const std::byte> bytes() const noexcept { return {bytes_.get() + begin_, end_ - begin_}; }
  [[nodiscard]] std::span<std::byte> room();
  void add(std::size_t size) noexcept { end_ += size; }
  void remove(std::size_t size) noexcept;
  void clear() noexcept { begin_ = end_ = 0; }

 private:
  std::unique_ptr<std::byte[]> bytes_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

class Relay {
 public:
  enum class State { Going, SourceEnded, SinkGone };

  // `questions`, where there is one, sees what the sink has taken.
  Relay(Channel source, Channel sink, Questions* questions = nullptr) noexcept
      : source_(source), sink_(sink), questions_(questions) {}

  void add_to(std::vector<pollfd>& polled) const;
  // Moves what can be moved, a bounded amount, and returns what went to the sink.
  std::size_t handle(const std::vector<pollfd>& polled);

  // Bytes that the sink has not taken, or that the source has ready.
  [[nodiscard]] bool pending() const noexcept;
  // SourceEnded is said when the sink has got everything.
  [[nodiscard]] State state() const noexcept;

 private:
  [[nodiscard]] bool may_read() const noexcept { return !source_ended_ && !sink_gone_ && !buffer_.full(); }
  bool fill();
  std::size_t flush();

  Channel source_;
  Channel sink_;
  Questions* questions_;
  Buffer buffer_;
  bool source_ended_ = false;
  bool sink_gone_ = false;
};

}  // namespace jail::run
