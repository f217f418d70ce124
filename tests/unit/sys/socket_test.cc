// Messages with descriptors between the processes of one jail.
#include "sys/socket.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <string_view>

namespace jail::sys {
namespace {

std::span<const std::byte> bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

std::string text_of(const Message& message) {
  return {reinterpret_cast<const char*>(message.bytes.data()), message.bytes.size()};
}

TEST(SocketPair, IsCloseOnExecAtBothEnds) {
  const SocketPair pair = socket_pair();
  EXPECT_TRUE(::fcntl(pair.ours.get(), F_GETFD) & FD_CLOEXEC);
  EXPECT_TRUE(::fcntl(pair.theirs.get(), F_GETFD) & FD_CLOEXEC);
}

TEST(Messages, KeepTheirBounds) {
  const SocketPair pair = socket_pair();
  send_message(pair.theirs, bytes("one"));
  send_message(pair.theirs, bytes("two"));
  EXPECT_EQ(text_of(receive_message(pair.ours)), "one");
  EXPECT_EQ(text_of(receive_message(pair.ours)), "two");
}

TEST(Messages, CarryDescriptorsOfTheSameFileCloseOnExec) {
  const SocketPair pair = socket_pair();
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const Fd read(ends[0]), write(ends[1]);
  send_message(pair.theirs, bytes("x"), std::array{write.get(), read.get()});
  const Message message = receive_message(pair.ours);
  ASSERT_EQ(message.descriptors.size(), 2U);
  EXPECT_TRUE(::fcntl(message.descriptors[0].get(), F_GETFD) & FD_CLOEXEC);
  ASSERT_EQ(::write(message.descriptors[0].get(), "hello", 5), 5);
  char text[5];
  ASSERT_EQ(::read(read.get(), text, sizeof text), 5);
}

TEST(Messages, CarryAsManyDescriptorsAsIsPromised) {
  const SocketPair pair = socket_pair();
  const std::vector<int> most(kMostDescriptors, pair.ours.get());
  send_message(pair.theirs, bytes("x"), most);
  EXPECT_EQ(receive_message(pair.ours).descriptors.size(), kMostDescriptors);
}

TEST(Messages, AreEmptyWhenTheOtherSideIsGone) {
  SocketPair pair = socket_pair();
  send_message(pair.theirs, bytes("last"));
  pair.theirs.reset();
  EXPECT_EQ(text_of(receive_message(pair.ours)), "last");
  EXPECT_TRUE(receive_message(pair.ours).bytes.empty());
}

// A process that is killed before it read what was sent to it: the kernel says ECONNRESET first (unix(7)).
TEST(Messages, ArriveEvenIfTheOtherSideLeftSomethingUnread) {
  SocketPair pair = socket_pair();
  send_message(pair.ours, bytes("never read"));
  send_message(pair.theirs, bytes("last words"));
  pair.theirs.reset();
  EXPECT_EQ(text_of(receive_message(pair.ours)), "last words");
  EXPECT_TRUE(receive_message(pair.ours).bytes.empty());
}

TEST(Messages, ToNobodyAreAnAnswerNotASignal) {
  SocketPair pair = socket_pair();
  pair.theirs.reset();
  EXPECT_FALSE(send_message(pair.ours, bytes("x")));
}

}  // namespace
}  // namespace jail::sys
