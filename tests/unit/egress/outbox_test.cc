#include "egress/outbox.h"

#include <gtest/gtest.h>

#include <array>
#include <vector>

namespace jail::egress {
namespace {

struct Note {
  std::uint32_t number = 0;
  std::uint32_t lost = 0;
};

// The outbox, its epoll, and the other's end of the socket.
class Post : public testing::Test {
 protected:
  static constexpr std::uint64_t kTag = 42;

  void tell(std::uint32_t most) {
    for (; next_ < most; ++next_) taken_ += outbox_.tell({next_, 0}) ? 1 : 0;
  }

  // Whether it is called for, and then what it says.
  bool is_called() {
    epoll_event event{};
    return ::epoll_wait(poll_.get(), &event, 1, 0) == 1 && event.data.u64 == kTag;
  }

  std::vector<Note> read() {
    std::vector<Note> all;
    for (Note note; ::recv(theirs_.get(), &note, sizeof note, MSG_DONTWAIT) == sizeof note;) all.push_back(note);
    return all;
  }

  std::vector<Note> read_all() {
    std::vector<Note> all = read();
    while (is_called() && outbox_.handle())
      for (const Note& note : read()) all.push_back(note);
    return all;
  }

  static std::array<Fd, 2> pair() {
    std::array<int, 2> ends{};
    check(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()), "socketpair");
    return {Fd(ends[0]), Fd(ends[1])};
  }

  std::array<Fd, 2> ends_ = pair();
  Fd& theirs_ = ends_[1];
  Fd poll_{check(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1")};
  Outbox<Note> outbox_{ends_[0], poll_, kTag};
  std::uint32_t next_ = 0;
  std::size_t taken_ = 0;
};

TEST_F(Post, WhatHasRoomGoesAtOnce) {
  tell(3);
  EXPECT_FALSE(is_called());
  EXPECT_EQ(read().size(), 3u);
}

TEST_F(Post, WhatTheSocketHasNoRoomForWaitsInOrder) {
  tell(Outbox<Note>::kMost);
  EXPECT_EQ(taken_, next_);
  const std::vector<Note> all = read_all();
  ASSERT_EQ(all.size(), next_);
  for (std::uint32_t i = 0; i < next_; ++i) EXPECT_EQ(std::pair(all[i].number, all[i].lost), std::pair(i, 0U));
  EXPECT_FALSE(is_called()) << "nothing waits any more";
}

TEST_F(Post, WhatIsTooMuchIsCounted) {
  tell(10 * Outbox<Note>::kMost);
  EXPECT_LT(taken_, next_);
  EXPECT_FALSE(outbox_.tell({next_++, 0}));
  const std::vector<Note> before = read_all();
  tell(next_ + 1);
  std::vector<Note> all = before;
  for (const Note& note : read_all()) all.push_back(note);
  std::uint32_t lost = 0;
  for (const Note& note : all) lost += note.lost;
  EXPECT_EQ(all.size() + lost, next_);
  EXPECT_EQ(all.size(), taken_);
}

TEST_F(Post, EndsWithWhomItTells) {
  tell(1);
  ASSERT_EQ(::shutdown(theirs_.get(), SHUT_WR), 0);
  ASSERT_TRUE(is_called());
  EXPECT_FALSE(outbox_.handle());
  EXPECT_EQ(read().size(), 1u);
}

TEST_F(Post, EndsAtOnceWhereNobodyTakesAny) {
  tell(10 * Outbox<Note>::kMost);
  theirs_ = Fd();
  outbox_.finish();  // no SIGPIPE
  EXPECT_FALSE(outbox_.handle());
}

}  // namespace
}  // namespace jail::egress
