// SECURITY B1: no call that the plan denies is ever told to go on.
#include "monitor/answer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>

#include "../confine/seccomp_calls.h"
#include "confine/seccomp_interpreter.h"
#include "monitor/calls.h"

namespace jail::monitor {
namespace {

using confine::seccomp::compile;
using confine::seccomp::evaluate;
using confine::seccomp::kAllow;
using test::call_of;
using test::RandomCalls;

TEST(Answer, ContinuesExactlyWhatThePlanAllows) {
  for (const auto set : {profile::SyscallSet::Standard, profile::SyscallSet::Strict}) {
    profile::Syscalls wanted;
    wanted.set.value = set;
    const confine::seccomp::Plan rules = confine::seccomp::plan(wanted, test::every_gap());
    const confine::seccomp::Program deny = compile(rules);
    RandomCalls calls(rules);
    for (int i = 0; i < 2'000'000; ++i) {
      const seccomp_data call = calls.next();
      const confine::seccomp::Verdict verdict = evaluate(rules, call);
      const Answer answer = answer_to(deny, call);
      ASSERT_EQ(answer.reply == Reply::Continue, verdict == kAllow) << "call " << call.nr << " arch " << call.arch;
      if (answer.reply == Reply::Refuse) { ASSERT_EQ(answer.error, verdict.error); }
    }
  }
}

TEST(Answer, RefusesForeignAndUnknownCalls) {
  const auto deny = compile(confine::seccomp::plan({}));
  seccomp_data call = call_of("openat");
  for (const std::uint32_t arch : {0x40000003U, 0xc00000b7U, 0U, ~0U}) {
    call.arch = arch;
    EXPECT_EQ(answer_to(deny, call), (Answer{Reply::Refuse, ENOSYS})) << std::hex << arch;
  }
  for (const std::uint32_t number : {0x40000002U, 337U, 472U, 0x7fffffffU, 0xffffffffU})
    EXPECT_EQ(answer_to(deny, call_of(number)), (Answer{Reply::Refuse, ENOSYS})) << number;
}

TEST(Answer, RefusesWhateverAProgramSaysThatIsNeither) {
  const auto saying = [](std::uint32_t value) {
    return confine::seccomp::Program{sock_filter{BPF_RET | BPF_K, 0, 0, value}};
  };
  for (const std::uint32_t value : {SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_KILL_THREAD, SECCOMP_RET_TRAP,
                                    SECCOMP_RET_USER_NOTIF, SECCOMP_RET_TRACE, SECCOMP_RET_LOG, SECCOMP_RET_ERRNO})
    EXPECT_EQ(answer_to(saying(value), call_of("read")), (Answer{Reply::Refuse, EPERM})) << std::hex << value;
  EXPECT_EQ(answer_to({}, call_of("read")), (Answer{Reply::Refuse, EPERM}));
}

TEST(Answer, IsToldInTheKernelsWords) {
  seccomp_notif notified{};
  notified.id = 77;
  const seccomp_notif_resp refused = response(notified, {Reply::Refuse, EACCES});
  EXPECT_EQ(refused.id, 77u);
  EXPECT_EQ(refused.error, -EACCES);
  EXPECT_EQ(refused.flags, 0u);
  const seccomp_notif_resp goes_on = response(notified, {Reply::Continue, 0});
  EXPECT_EQ(goes_on.error, 0);
  EXPECT_EQ(goes_on.val, 0);
  EXPECT_EQ(goes_on.flags, SECCOMP_USER_NOTIF_FLAG_CONTINUE);
}

TEST(Calls, AreEachInTheTableOfSystemCallsAndOnce) {
  std::vector<std::uint16_t> numbers;
  for (const Call& call : calls()) {
    EXPECT_NE(confine::seccomp::find_row(call.number), nullptr) << call.number;
    EXPECT_EQ(find_call(call.number), &call);
    numbers.push_back(call.number);
  }
  std::ranges::sort(numbers);
  EXPECT_TRUE(std::ranges::adjacent_find(numbers) == numbers.end());
  EXPECT_EQ(find_call(0), nullptr);
  EXPECT_EQ(find_call(100'000), nullptr);
}

// By these the plugin process hands over its listener and goes on until it is there.
TEST(Calls, LeaveTheHandoverAlone) {
  const auto rules = confine::seccomp::plan({});
  const auto installed = compile(confine::seccomp::observed(rules, observations(profile::MonitorFiles::All)));
  EXPECT_EQ(confine::seccomp::interpret(installed, call_of("write", {5})), SECCOMP_RET_ALLOW);
  EXPECT_EQ(confine::seccomp::interpret(installed, call_of("execve")), SECCOMP_RET_USER_NOTIF);
}

TEST(Calls, OfFilesAreWatchedUnlessNobodyWantsIt) {
  const auto rules = confine::seccomp::plan({});
  for (const auto files : {profile::MonitorFiles::None, profile::MonitorFiles::Denied}) {
    const auto installed = compile(confine::seccomp::observed(rules, observations(files)));
    const bool watched = files != profile::MonitorFiles::None;
    for (const char* name : {"openat", "newfstatat", "unlink", "rename", "mkdir", "utimensat"})
      EXPECT_EQ(confine::seccomp::interpret(installed, call_of(name)),
                watched ? SECCOMP_RET_USER_NOTIF : SECCOMP_RET_ALLOW)
          << name;
    for (const char* name : {"execve", "connect", "bind", "setuid"})
      EXPECT_EQ(confine::seccomp::interpret(installed, call_of(name)), SECCOMP_RET_USER_NOTIF) << name;
  }
}

}  // namespace
}  // namespace jail::monitor
