// Whatever stands behind the socket of a user's systemd: its answers end a call, and never hang or hurt who asks. That
// a real one understands what it is asked is tried where there is one (tests/cli/limits_test.py).
#include "sys/systemd.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>

#include "sys/socket.h"

namespace jail::sys {
namespace {

const std::string kWelcome = "OK 0123456789abcdef0123456789abcdef\r\n";

std::string number(std::uint32_t value) { return {reinterpret_cast<const char*>(&value), sizeof value}; }

std::string message(char type, const std::string& body) {
  return std::string("l") + type + std::string("\0\1", 2) + number(static_cast<std::uint32_t>(body.size())) +
         number(1) + number(3) + "xyz" + std::string(5, '\0') + body;
}

std::string text(const std::string& value) {
  return number(static_cast<std::uint32_t>(value.size())) + value + '\0';
}

// Says it all at once, hears what comes, and closes.
class Manager {
 public:
  explicit Manager(std::string says) {
    char name[] = "/tmp/jail-manager-XXXXXX";
    folder_ = ::mkdtemp(name);
    std::filesystem::create_directory(folder_ + "/systemd");
    listening_ = Fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const auto at = address_of_path(folder_ + "/systemd/private");
    EXPECT_EQ(::bind(listening_.get(), reinterpret_cast<const sockaddr*>(&at->address), at->size), 0);
    EXPECT_EQ(::listen(listening_.get(), 1), 0);
    ::setenv("XDG_RUNTIME_DIR", folder_.c_str(), 1);
    thread_ = std::thread([this, says = std::move(says)] {
      const Fd socket(::accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      (void)::send(socket.get(), says.data(), says.size(), MSG_NOSIGNAL);
      (void)::shutdown(socket.get(), SHUT_WR);
      char block[4096];
      while (::recv(socket.get(), block, sizeof block, 0) > 0) {}
    });
  }
  ~Manager() {
    thread_.join();
    std::filesystem::remove_all(folder_);
  }
  Manager(const Manager&) = delete;
  Manager& operator=(const Manager&) = delete;

 private:
  std::string folder_;
  Fd listening_;
  std::thread thread_;
};

std::string answer_to(const std::string& says) {
  const Manager manager(says);
  std::optional<Systemd> asked = Systemd::of_user();
  if (!asked) return "not connected";
  EXPECT_EQ(asked->pid(), ::getpid());
  std::string answer = asked->start_scope("test.scope");
  asked.reset();
  return answer;
}

TEST(Systemd, IsOneThatListens) {
  ::setenv("XDG_RUNTIME_DIR", "/nowhere", 1);
  EXPECT_FALSE(Systemd::of_user());
}

TEST(Systemd, AnswersAfterWhatItTellsEverybody) {
  EXPECT_EQ(answer_to(kWelcome + message(4, "anything") + message(2, text("/job/1"))), "");
  EXPECT_EQ(answer_to(kWelcome + message(4, "anything") + message(3, text("no such unit"))),
            "it says no: no such unit");
}

TEST(Systemd, WhatMakesNoSenseIsNoAnswer) {
  for (const std::string& says : {std::string(), std::string("REJECTED EXTERNAL\r\n"), std::string(300, 'O')})
    EXPECT_EQ(answer_to(says), "it does not speak with us");
  const std::string huge = "l\2" + std::string("\0\1", 2) + number(~0U) + number(1) + number(~0U);
  std::string all_signals = kWelcome;
  for (int i = 0; i < 100; ++i) all_signals += message(4, "");
  for (const std::string& says : {kWelcome, kWelcome + "garbage of some length", kWelcome + huge, all_signals})
    EXPECT_EQ(answer_to(says), "no answer");
  for (const std::string& body : {std::string(), std::string("\1"), number(~0U), number(99) + "short"})
    EXPECT_TRUE(answer_to(kWelcome + message(3, body)).starts_with("it says no: "));
}

}  // namespace
}  // namespace jail::sys
