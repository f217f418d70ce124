// One open place that records go to. A regular file takes a record with one write(2), whole or with an error. Whatever
// can be full for a while (pipe, socket, terminal) must not hold the supervisor up (SECURITY B5): it is written
// without blocking, by a description of our own or by flags of the call, because O_NONBLOCK on an inherited
// description would change it for everybody else who has it; what it does not take waits in a queue of bounded size,
// and is lost when it has taken nothing for kLongestStallNs.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"

namespace jail::audit {

// Where a file of the log stands: its folder by descriptor, because it may be rotated where its path no longer leads
// anywhere.
struct FilePlace {
  Fd folder;
  std::string name;
  uid_t owner = 0;
};

class Sink {
 public:
  enum class Sort {
    File,         // never full for a while: either it takes the record or the disk is full
    LimitedFile,  // under RLIMIT_FSIZE, where one byte too many is answered by SIGXFSZ
    Own,          // a pipe or terminal through a non-blocking description of our own
    Socket,       // inherited; send(2) takes MSG_DONTWAIT
    Shared,       // a pipe or terminal that could not be opened again: asked before each write
  };
  enum class Tail { Clean, Torn };  // Torn: it ends in the middle of a record, so the next one begins with a line feed
  // Land: taken before append() comes back, or refused. Queue: it may wait.
  enum class Wait { Land, Queue };

  static constexpr std::size_t kMostQueued = 262'144;              // bytes
  static constexpr std::uint64_t kPatienceNs = 200'000'000;        // of Wait::Land, counted from when it was full
  static constexpr std::uint64_t kLongestStallNs = 5'000'000'000;

  Sink(std::string name, Fd fd, Sort sort) : name_(std::move(name)), fd_(std::move(fd)), sort_(sort) {}

  static Sort sort_of_files() noexcept;  // by the limit of this process

  void keep(FilePlace place, Tail tail) {
    place_ = std::move(place);
    tail_ = tail;
  }

  // `framed` is a line feed, the record and a line feed; the first is for a torn tail only. 0 or errno, and then the
  // record is counted as lost.
  [[nodiscard]] int append(std::string_view framed, Wait wait = Wait::Land) noexcept;
  // Hands over what waits, as far as it is taken now.
  void flush() noexcept;
  // Waits for that as Wait::Land does; what is not taken then is lost.
  void settle() noexcept;
  [[nodiscard]] bool queues() const noexcept { return !queue_.empty(); }

  // From here on records go into the next file. The one before stays open: its lock says that a run still lives whose
  // records it holds.
  void move_on(Fd next);
  // Makes the disk keep room for what must be written at the end, and more as that is used. Files only.
  void reserve() noexcept;
  // Less room is left than is kept: only what matters most may be written.
  [[nodiscard]] bool is_scarce() noexcept;

  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  [[nodiscard]] const Fd& fd() const noexcept { return fd_; }
  [[nodiscard]] bool is_file() const noexcept { return sort_ == Sort::File || sort_ == Sort::LimitedFile; }
  [[nodiscard]] const std::optional<FilePlace>& place() const noexcept { return place_; }
  [[nodiscard]] const std::vector<Fd>& left() const noexcept { return left_; }
  [[nodiscard]] std::uint64_t size() noexcept;  // of the file, as far as this run knows; 0 where there is none
  std::uint64_t look_at_size() noexcept;        // the same, asked of the kernel
  [[nodiscard]] std::uint64_t lost() const noexcept { return lost_; }
  void lose() noexcept { ++lost_; }

 private:
  static constexpr std::uint64_t kReserve = 65'536;    // bytes beyond the end of the file
  static constexpr std::uint64_t kScarce = 32'768;     // of these may not be used but by what matters most
  static constexpr std::uint64_t kLookEvery = 32'768;  // bytes of our own: other runs may write to the file as well

  int append_to_file(std::string_view bytes) noexcept;
  int push_queue() noexcept;
  int wait_for_queue() noexcept;
  void give_up_queue() noexcept;
  [[nodiscard]] bool stalls_since(std::uint64_t limit_ns) const noexcept;

  std::string name_;
  Fd fd_;
  std::optional<FilePlace> place_;
  std::vector<Fd> left_;
  Sort sort_;
  Tail tail_ = Tail::Clean;
  std::deque<std::string> queue_;  // framed records
  std::size_t queued_ = 0;         // bytes of these
  std::size_t sent_ = 0;           // of the first of these, its line feed included
  std::uint64_t full_since_ = 0;   // CLOCK_BOOTTIME; 0: it took something when it was last asked
  std::optional<std::uint64_t> reserved_;  // up to this size; none: nothing is kept here
  std::uint64_t seen_ = 0;                       // size when it was last looked at
  std::uint64_t since_ = kLookEvery;             // our own bytes since then
  std::uint64_t lost_ = 0;
};

}  // namespace jail::audit
