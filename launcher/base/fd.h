// An open file descriptor that closes itself. Move-only.
#pragma once

#include <unistd.h>

#include <utility>

namespace jail {

class Fd {
 public:
  Fd() = default;
  explicit Fd(int raw) noexcept : raw_(raw) {}
  Fd(Fd&& other) noexcept : raw_(std::exchange(other.raw_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(raw_, other.raw_);
    return *this;
  }
  // A failed close() has still released the descriptor on Linux (close(2)): retrying could close somebody else's,
  // so the result is dropped on purpose.
  ~Fd() {
    if (raw_ >= 0) (void)::close(raw_);
  }

  [[nodiscard]] int get() const noexcept { return raw_; }
  [[nodiscard]] explicit operator bool() const noexcept { return raw_ >= 0; }
  [[nodiscard]] int release() noexcept { return std::exchange(raw_, -1); }
  void reset() noexcept { Fd closing(std::exchange(raw_, -1)); }

 private:
  int raw_ = -1;
};

// One more of the same open file, with a number beyond standard input, output and error. SysError.
[[nodiscard]] Fd duplicate(int descriptor);

}  // namespace jail
