// The program the kernel gets where a supervisor listens, against the one that denies.
#include <gtest/gtest.h>

#include "confine/seccomp.h"
#include "confine/seccomp_interpreter.h"
#include "seccomp_calls.h"

namespace jail::confine::seccomp {
namespace {

using test::call_of;
using test::RandomCalls;

// Allowed ones with and without quiet ones, and ones that deny by some arguments.
std::vector<Observation> observations() {
  static const std::array kQuiet{
      Clause{When::Always, {Test{.argument = 4, .count = 1}, Test{.argument = 4, .half = Test::Half::High, .count = 1}},
             kAllow}};
  std::vector<Observation> all;
  for (const char* name : {"open", "openat", "stat", "connect", "prctl", "ioctl", "chmod", "clone"})
    all.push_back({find_row(name)->number});
  for (const char* name : {"sendto", "newfstatat", "setsockopt"}) all.push_back({find_row(name)->number, kQuiet});
  return all;
}

std::uint32_t asked(const Program& program, const seccomp_data& call) { return interpret(program, call); }

TEST(SeccompObserve, WhatItDecidesItselfIsWhatThePlanSays) {
  for (const auto set : {profile::SyscallSet::Standard, profile::SyscallSet::Strict}) {
    profile::Syscalls wanted;
    wanted.set.value = set;
    const Plan rules = plan(wanted, test::every_gap());
    const Program deny = compile(rules);
    const Program installed = compile(observed(rules, observations()));
    RandomCalls calls(rules);
    int notified = 0;
    for (int i = 0; i < 1'000'000; ++i) {
      const seccomp_data call = calls.next();
      const std::uint32_t answer = asked(installed, call);
      if (answer == SECCOMP_RET_USER_NOTIF) ++notified;
      else ASSERT_EQ(answer, interpret(deny, call)) << "call " << call.nr << " of " << std::hex << call.arch;
    }
    EXPECT_GT(notified, 100'000);
  }
}

TEST(SeccompObserve, EveryDenialOfAKnownCallIsAskedFor) {
  const Plan rules = plan({});
  const Program deny = compile(rules);
  const Program installed = compile(observed(rules, observations()));
  RandomCalls calls(rules);
  for (int i = 0; i < 1'000'000; ++i) {
    const seccomp_data call = calls.next();
    const bool known = find_row(static_cast<std::uint32_t>(call.nr)) != nullptr;
    if (known && interpret(deny, call) != SECCOMP_RET_ALLOW) {
      ASSERT_EQ(asked(installed, call), SECCOMP_RET_USER_NOTIF) << "call " << call.nr;
    }
  }
}

TEST(SeccompObserve, ForeignCallsAreAskedForAndUnknownNumbersAreNot) {
  const Program installed = compile(observed(plan({}), observations()));
  seccomp_data i386 = call_of(5U);
  i386.arch = AUDIT_ARCH_I386;
  EXPECT_EQ(asked(installed, i386), SECCOMP_RET_USER_NOTIF);
  EXPECT_EQ(asked(installed, call_of(kX32Bit | 2U)), SECCOMP_RET_USER_NOTIF);
  for (const std::uint32_t number : {337U, 400U, kTableEnd, 5000U, kX32Bit - 1})
    EXPECT_EQ(asked(installed, call_of(number)), SECCOMP_RET_ERRNO | ENOSYS) << number;
}

TEST(SeccompObserve, QuietCallsStayOutOfSightAndDeniedOnesNever) {
  const Program installed = compile(observed(plan({}), observations()));
  EXPECT_EQ(asked(installed, call_of("sendto", {3, 4, 5, 0, 0, 0})), SECCOMP_RET_ALLOW);
  EXPECT_EQ(asked(installed, call_of("sendto", {3, 4, 5, 0, 0x7fff0000, 16})), SECCOMP_RET_USER_NOTIF);
  // An address whose lower half is 0 is one.
  EXPECT_EQ(asked(installed, call_of("sendto", {3, 4, 5, 0, 0x100000000, 16})), SECCOMP_RET_USER_NOTIF);
  constexpr std::uint64_t kFastOpen = 0x20000000;
  EXPECT_EQ(asked(installed, call_of("sendto", {3, 4, 5, kFastOpen, 0, 0})), SECCOMP_RET_USER_NOTIF);
}

TEST(SeccompObserve, WhatNobodyWatchesIsDecidedByTheKernel) {
  const Program installed = compile(observed(plan({}), {}));
  for (const char* name : {"read", "write", "close", "openat", "execve", "mmap", "futex"})
    EXPECT_EQ(asked(installed, call_of(name)), SECCOMP_RET_ALLOW) << name;
  EXPECT_EQ(asked(installed, call_of("unshare")), SECCOMP_RET_USER_NOTIF);
}

}  // namespace
}  // namespace jail::confine::seccomp
