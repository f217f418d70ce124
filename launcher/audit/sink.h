// One open place that records go to. A regular file takes a record with one write(2), whole or with an error. Whatever
// can be full for a while (pipe, socket, terminal) must not hold the supervisor up (SECURITY B5): it is written
// without blocking, by a description of our own or by flags of the call, because O_NONBLOCK on an inherited
// description would change it for everybody else who has it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/fd.h"

namespace jail::audit {

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

  Sink(std::string name, Fd fd, Sort sort) : name_(std::move(name)), fd_(std::move(fd)), sort_(sort) {}

  static Sort sort_of_files() noexcept;  // by the limit of this process

  // For a file: the folder it is in, kept open because the log may be rotated where its path no longer leads anywhere.
  void keep(Fd folder, Tail tail) {
    folder_ = std::move(folder);
    tail_ = tail;
  }

  // `framed` is a line feed, the record and a line feed; the first is for a torn tail only. 0 or errno, and then the
  // record is counted as lost.
  [[nodiscard]] int append(std::string_view framed) noexcept;

  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  [[nodiscard]] const Fd& fd() const noexcept { return fd_; }
  [[nodiscard]] const Fd& folder() const noexcept { return folder_; }
  [[nodiscard]] std::uint64_t lost() const noexcept { return lost_; }

 private:
  int push(std::string_view bytes) noexcept;

  std::string name_;
  Fd fd_;
  Fd folder_;
  Sort sort_;
  Tail tail_ = Tail::Clean;
  enum class Patience { Some, None } patience_ = Patience::Some;  // None while it takes nothing: it was waited for once
  std::uint64_t lost_ = 0;
};

}  // namespace jail::audit
