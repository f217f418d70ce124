// Records on their way to whom they are told, each one message of a SOCK_SEQPACKET socket, without waiting for whom
// they are told: what the socket has no room for waits, in order, and what has no room there is counted.
#pragma once

#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <utility>

#include "base/error.h"
#include "base/fd.h"

namespace jail::egress {

// Record: copied byte by byte; its `lost` is how many there were before it that nobody took.
template <typename Record>
class Outbox {
 public:
  static constexpr std::size_t kMost = 1024;  // that wait

  // `poll`, of epoll(7), gives `tag` where handle() is to be called. SysError.
  Outbox(const Fd& told, const Fd& poll, std::uint64_t tag) : told_(told), poll_(poll), tag_(tag) {
    watch(EPOLL_CTL_ADD, EPOLLIN);
  }

  // False: there is no room for it.
  bool tell(const Record& record) {
    if (waiting_.size() == kMost) return ++lost_, false;
    waiting_.push_back(record);
    if (waiting_.size() == 1) (void)send();
    return true;
  }

  // False: he has no more to say to us, which is all that he ever says.
  bool handle() {
    char none = 0;
    if (::recv(told_.get(), &none, sizeof none, MSG_DONTWAIT) >= 0 || errno != EAGAIN) return false;
    (void)send();
    return true;
  }

  // What waits, as long as he takes some of it every now and then.
  void finish() {
    constexpr int kPatienceMs = 1000;
    pollfd polled{told_.get(), POLLOUT, 0};
    while (!waiting_.empty() && TEMP_FAILURE_RETRY(::poll(&polled, 1, kPatienceMs)) > 0 && send()) {}
  }

 private:
  // False: nobody takes it any more.
  bool send() {
    for (; !waiting_.empty(); waiting_.pop_front()) {
      waiting_.front().lost = lost_;
      if (::send(told_.get(), &waiting_.front(), sizeof(Record), MSG_NOSIGNAL | MSG_DONTWAIT) != sizeof(Record)) break;
      lost_ = 0;
    }
    const bool is_heard = waiting_.empty() || errno == EAGAIN || errno == EINTR;
    const bool awaits = !waiting_.empty();
    if (awaits != std::exchange(awaits_room_, awaits)) watch(EPOLL_CTL_MOD, awaits ? EPOLLIN | EPOLLOUT : EPOLLIN);
    return is_heard;
  }

  void watch(int operation, std::uint32_t events) {
    epoll_event event{.events = events, .data = {.u64 = tag_}};
    check(::epoll_ctl(poll_.get(), operation, told_.get(), &event), "epoll_ctl");
  }

  const Fd& told_;
  const Fd& poll_;
  std::uint64_t tag_;
  std::deque<Record> waiting_;
  std::uint32_t lost_ = 0;
  bool awaits_room_ = false;
};

}  // namespace jail::egress
