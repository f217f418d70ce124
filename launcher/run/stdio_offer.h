// The operator's pipe, socket or file as the plugin's input. Bytes are shown to the plugin and taken from the
// operator's side only when the plugin has read them: what it leaves belongs to whoever reads next, such as the shell
// that reads a script from the same pipe (`bash -s`), or the loop around us (`while read name; do jail run ...;
// done`).
//
// The plugin's pipe is as small as a pipe can be and takes one piece at a time, so that it is writable exactly when the
// piece was read to its end.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <vector>

#include "run/stdio_channel.h"

namespace jail::run {

// How to see what stands at the front without taking it: tee(2), MSG_PEEK, pread(2).
enum class Peek { Pipe, Socket, File };

class Offer {
 public:
  // `pipe` is the plugin's, to write to; `nowhere` is /dev/null.
  Offer(int source, Peek peek, int pipe, int nowhere) noexcept
      : source_(source), pipe_(pipe), nowhere_(nowhere), peek_(peek) {}

  void add_to(std::vector<pollfd>& polled) const;
  void handle(const std::vector<pollfd>& polled);
  // Takes what the plugin has read of the piece that stands in its pipe. Last act.
  void settle() noexcept;
  // The plugin's side or the operator's is at its end.
  [[nodiscard]] bool ended() const noexcept { return ended_; }

 private:
  void show() noexcept;
  ssize_t copy() noexcept;
  void take(std::size_t size) noexcept;

  int source_;
  int pipe_;
  int nowhere_;
  Peek peek_;
  std::size_t shown_ = 0;
  bool ended_ = false;
};

}  // namespace jail::run
