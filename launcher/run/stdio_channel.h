// One end of something that bytes come from or go to, and how to use it without ever waiting. Which call cannot wait
// depends on what it is and on whose description it is: O_NONBLOCK is set on our own only, for on a shared one it would
// surprise everybody else who has it.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include <poll.h>

namespace jail::run {

enum class Manner {
  Own,       // a description of ours with O_NONBLOCK
  Socket,    // MSG_DONTWAIT, whatever the description says
  File,      // a regular file or a block device: always ready, O_NONBLOCK means nothing
  Borrowed,  // the inherited description of a pipe, terminal or device: poll(2) first, then little, for 10 ms at most
};

struct Channel {
  int fd = -1;
  Manner manner = Manner::Own;
};

struct Moved {
  enum class State { Going, Waits, Ended };
  State state = State::Waits;
  std::size_t bytes = 0;
};

// Ended: end of file, or EIO of a master without a slave, or any other error.
Moved take(const Channel& source, std::span<std::byte> room) noexcept;
// Ended: nobody can read it any more (EPIPE, EIO of a terminal that hung up, ...) or the disk is full.
Moved give(const Channel& sink, std::span<const std::byte> bytes) noexcept;

// What poll(2) would say now.
short readiness(int fd, short events) noexcept;

// What poll(2) said of a descriptor, which may stand in the list more than once.
short revents_of(const std::vector<pollfd>& polled, int fd) noexcept;

// Its other end is gone: POLLERR of a pipe without readers, POLLHUP of a terminal.
bool is_gone(short revents) noexcept;

}  // namespace jail::run
