// What of eBPF's events is told, counted, or left to notification.
#include "monitor/traced.h"

#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace jail::monitor {
namespace {

class TracedEventsTest : public testing::Test {
 protected:
  void add(event::Body body) {
    event::Event event{.body = std::move(body), .source = event::Source::Ebpf, .pid = 7, .mono_ns = 1};
    events.add(event);
  }
  void attempt(std::string call, std::uint32_t number, std::string capability) {
    add(event::PrivilegeAttempt{.call = std::move(call), .number = number, .capability = std::move(capability)});
  }

  const confine::view::Plan view{};
  const confine::seccomp::Plan filter = confine::seccomp::plan({});
  std::vector<event::Event> told;
  TracedEvents events{{.view = &view, .seccomp = &filter}, ::getpid(),
                      [this](const event::Event& event) { told.push_back(event); }};
};

TEST_F(TracedEventsTest, WhatEachSocketHasSentIsTold) {
  for (int i = 0; i < 3; ++i) add(event::NetFlow{.protocol = "tcp", .peer = {.address = "127.0.0.1", .port = 80}});
  EXPECT_EQ(told.size(), 3U);
}

TEST_F(TracedEventsTest, PowerThatIsNotGivenIsToldOnceAndCounted) {
  for (int i = 0; i < 3; ++i) attempt("chroot", SYS_chroot, "CAP_SYS_CHROOT");
  attempt("mount", SYS_mount, "CAP_SYS_ADMIN");
  EXPECT_EQ(told.size(), 2U);
  events.finish();
  ASSERT_EQ(told.size(), 3U);
  EXPECT_EQ(told[2].repeats.value_or(event::Repeats{}).count, 2U);
}

TEST_F(TracedEventsTest, CredentialsAreLeftToNotificationWhichKnowsWhatIsAskedFor) {
  attempt("setuid", SYS_setuid, "CAP_SETUID");
  attempt("capset", SYS_capset, "CAP_SETPCAP");
  EXPECT_TRUE(told.empty());
  attempt("setgroups", SYS_setgroups, "CAP_SETGID");
  EXPECT_EQ(told.size(), 1U);
}

}  // namespace
}  // namespace jail::monitor
