// Some output makes a terminal type: it answers questions (where is the cursor, which terminal are you, what is your
// title) as if somebody had pressed keys, and an answer that comes after the plugin's end is read by the shell as a
// command. This notes when output may have asked, so that whoever restores the terminal can wait for the answer and
// drop it. Sequences: ECMA-48; XTerm Control Sequences (invisible-island.net/xterm/ctlseqs). It would rather see a
// question too many: that costs a short wait.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <span>

namespace jail::run {

class Questions {
 public:
  using Clock = std::chrono::steady_clock;

  void shown(std::span<const std::byte> output) noexcept;
  [[nodiscard]] std::optional<Clock::time_point> last() const noexcept { return last_; }

 private:
  enum class At { Text, Escape, Control, String, DeviceControl };

  void shown(unsigned char byte) noexcept;
  void text(unsigned char byte) noexcept;
  void escape(unsigned char byte) noexcept;
  void control(unsigned char byte) noexcept;
  void string(unsigned char byte) noexcept;
  void asked() noexcept { last_ = Clock::now(); }

  At at_ = At::Text;
  std::optional<Clock::time_point> last_;
};

}  // namespace jail::run
