// The compiled program, run by the interpreter, against the rules it was compiled from.
#include <gtest/gtest.h>
#include <sys/socket.h>

#include "confine/seccomp.h"
#include "confine/seccomp_interpreter.h"
#include "seccomp_calls.h"

namespace jail::confine::seccomp {
namespace {

using test::call_of;
using test::RandomCalls;

struct Variant {
  profile::SyscallSet set;
  Options options;
};

std::vector<Variant> variants() {
  std::vector<Variant> all;
  for (const auto set : {profile::SyscallSet::Standard, profile::SyscallSet::Strict})
    for (const auto unix_sockets :
         {UnixSockets::Denied, UnixSockets::SocketpairOnly, UnixSockets::ConnectOnly, UnixSockets::Allowed}) {
      all.push_back({set, {.unix_sockets = unix_sockets, .gaps = {}}});
      all.push_back({set, {.unix_sockets = unix_sockets, .gaps = test::every_gap().gaps}});
    }
  return all;
}

profile::Syscalls of(profile::SyscallSet set) {
  profile::Syscalls wanted;
  wanted.set.value = set;
  return wanted;
}

testing::AssertionResult agrees(const Plan& plan, const Program& program, const seccomp_data& call) {
  const std::uint32_t by_rules = return_value(evaluate(plan, call));
  const std::uint32_t by_program = interpret(program, call);
  if (by_rules == by_program) return testing::AssertionSuccess();
  return testing::AssertionFailure() << std::hex << "call " << call.nr << " arch " << call.arch << "(" << call.args[0]
                                     << ", " << call.args[1] << ", " << call.args[2] << ", " << call.args[3] << ", "
                                     << call.args[4] << "): rules say " << by_rules << ", program " << by_program;
}

// Every combination of what makes a difference to this number; at most three arguments do.
template <typename Ask>
void for_each_interesting_call(std::uint32_t number, const Rule& rule, const Ask& ask) {
  const auto values = test::interesting_values(rule);
  seccomp_data call = call_of(number);
  for (std::size_t i = 0; i < 6; ++i) call.args[i] = values[i].front();
  std::array<std::size_t, 6> at{};
  for (;;) {
    ask(call);
    std::size_t i = 0;
    for (; i < 6; ++i) {
      at[i] = (at[i] + 1) % values[i].size();
      call.args[i] = values[i][at[i]];
      if (at[i] != 0) break;
    }
    if (i == 6) return;
  }
}

TEST(SeccompCompile, AgreesWithTheRulesOnEveryNumberAndEveryInterestingArgument) {
  static const Rule kNoRule;
  long asked = 0;
  for (const Variant& variant : variants()) {
    const Plan rules = plan(of(variant.set), variant.options);
    const Program program = compile(rules);
    for (std::uint32_t number = 0; number <= 600; ++number)
      for_each_interesting_call(number, number < kTableEnd ? rules.rules[number] : kNoRule,
                                [&](const seccomp_data& call) {
                                  ++asked;
                                  ASSERT_TRUE(agrees(rules, program, call));
                                });
  }
  EXPECT_GT(asked, 300'000);  // fewer: interesting values went missing
}

TEST(SeccompCompile, AgreesWithTheRulesOnMillionsOfRandomCalls) {
  for (const Variant& variant : variants()) {
    const Plan rules = plan(of(variant.set), variant.options);
    const Program program = compile(rules);
    RandomCalls calls(rules);
    for (int i = 0; i < 150'000; ++i) ASSERT_TRUE(agrees(rules, program, calls.next()));
  }
}

// Profiles nobody would write make trees nobody thought of.
TEST(SeccompCompile, AgreesWithTheRulesOfRandomProfiles) {
  std::mt19937 random(7);
  const auto some_name = [&random] {
    const std::span<const Row> all = rows();
    return profile::SyscallName{std::string(all[random() % all.size()].name), {}};
  };
  for (int round = 0; round < 100; ++round) {
    profile::Syscalls wanted = of(round % 2 == 0 ? profile::SyscallSet::Standard : profile::SyscallSet::Strict);
    for (unsigned i = random() % 100; i > 0; --i) wanted.allow.push_back(some_name());
    for (unsigned i = random() % 100; i > 0; --i) wanted.deny.push_back(some_name());
    const Plan rules = plan(wanted, round % 3 == 0 ? test::every_gap() : Options{});
    const Program program = compile(rules);
    RandomCalls calls(rules);
    for (int i = 0; i < 10'000; ++i) ASSERT_TRUE(agrees(rules, program, calls.next()));
  }
}

TEST(SeccompCompile, ADenialNeverCompilesToAnAllowance) {
  const Plan rules = plan({});
  const Program program = compile(rules);
  RandomCalls calls(rules);
  long denied = 0;
  for (int i = 0; i < 2'000'000; ++i) {
    const seccomp_data call = calls.next();
    if (evaluate(rules, call) == kAllow) continue;
    ++denied;
    ASSERT_NE(interpret(program, call), SECCOMP_RET_ALLOW) << call.nr;
  }
  EXPECT_GT(denied, 500'000);
}

bool goes_forward_and_ends(const Program& program) {
  for (std::size_t at = 0; at < program.size(); ++at) {
    const sock_filter& step = program[at];
    if (BPF_CLASS(step.code) != BPF_JMP) continue;
    const std::size_t farthest = step.code == (BPF_JMP | BPF_JA) ? step.k : std::max(step.jt, step.jf);
    if (at + 1 + farthest >= program.size()) return false;
  }
  return !program.empty() && program.back().code == (BPF_RET | BPF_K);
}

TEST(SeccompCompile, ProgramsAreSmallAndWellFormed) {
  for (const Variant& variant : variants()) {
    const Program program = compile(plan(of(variant.set), variant.options));
    EXPECT_TRUE(goes_forward_and_ends(program));
    EXPECT_LT(program.size(), 350U);  // an upper bound on what installing costs, see the kernel's limit of 4096
  }
}

// Every second number with a verdict of its own: as many ranges as there can be, and jumps beyond 255 instructions.
TEST(SeccompCompile, FarJumpsAreBridged) {
  Plan rules;
  for (std::uint32_t number = 0; number < kTableEnd; ++number)
    rules.rules[number].otherwise = {Action::Errno, static_cast<std::uint16_t>(number % 100 + 1)};
  rules.rules[3].clauses = plan({}).rules[find_row("socket")->number].clauses;
  rules.rules[470].clauses = rules.rules[3].clauses;  // shared code, far from one of the two
  rules.rules[470].otherwise = rules.rules[3].otherwise;
  const Program program = compile(rules);
  EXPECT_TRUE(goes_forward_and_ends(program));
  EXPECT_GT(program.size(), 600U);
  for (std::uint32_t number = 0; number <= 600; ++number) EXPECT_TRUE(agrees(rules, program, call_of(number)));
  for (const std::uint32_t number : {3U, 470U})
    for_each_interesting_call(number, rules.rules[number],
                              [&](const seccomp_data& call) { EXPECT_TRUE(agrees(rules, program, call)); });
}

TEST(SeccompCompile, InitKnowsItsLoopAndNothingElse) {
  const Program program = init_program();
  EXPECT_LT(program.size(), 40U);
  for (const std::string_view name : {"read", "write", "poll", "ppoll", "sendto", "wait4", "waitid", "kill",
                                      "exit_group", "exit", "rt_sigreturn", "restart_syscall", "close"})
    EXPECT_EQ(interpret(program, call_of(name)), SECCOMP_RET_ALLOW) << name;
  std::size_t allowed = 0;
  for (std::uint32_t number = 0; number <= 600; ++number) {
    const std::uint32_t verdict = interpret(program, call_of(number));
    allowed += verdict == SECCOMP_RET_ALLOW ? 1 : 0;
    EXPECT_TRUE(verdict == SECCOMP_RET_ALLOW || verdict == SECCOMP_RET_KILL_PROCESS) << number;
  }
  EXPECT_EQ(allowed, 13U);
  seccomp_data i386 = call_of("read");
  i386.arch = AUDIT_ARCH_I386;
  EXPECT_EQ(interpret(program, i386), SECCOMP_RET_KILL_PROCESS);
}

TEST(SeccompCompile, RelaysMakeTheSocketsTheyNeedAndNoOthers) {
  for (const Transports transports : {Transports::Streams, Transports::StreamsAndDatagrams}) {
    const Program program = relay_program(transports);
    const auto made = [&](std::uint64_t family, std::uint64_t type) {
      seccomp_data call = call_of("socket");
      call.args[0] = family;
      call.args[1] = type | SOCK_CLOEXEC | SOCK_NONBLOCK;
      return interpret(program, call) == SECCOMP_RET_ALLOW;
    };
    const bool has_datagrams = transports == Transports::StreamsAndDatagrams;
    for (const std::uint64_t family : {AF_INET, AF_INET6}) {
      EXPECT_TRUE(made(family, SOCK_STREAM));
      EXPECT_EQ(made(family, SOCK_DGRAM), has_datagrams);
      EXPECT_FALSE(made(family, SOCK_RAW));
    }
    for (const std::uint64_t family : {AF_UNIX, AF_NETLINK, AF_PACKET}) EXPECT_FALSE(made(family, SOCK_STREAM));
    for (const std::string_view name : {"setns", "openat", "execve"})
      EXPECT_EQ(interpret(program, call_of(name)), SECCOMP_RET_KILL_PROCESS) << name;
  }
}

TEST(SeccompInterpreter, AnythingMalformedKills) {
  const std::vector<Program> malformed{
      {},
      {{BPF_LD | BPF_W | BPF_ABS, 0, 0, 0}},  // runs off the end
      {{BPF_LD | BPF_W | BPF_ABS, 0, 0, 64}, {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW}},
      {{BPF_LD | BPF_W | BPF_ABS, 0, 0, 61}, {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW}},
      {{BPF_LD | BPF_W | BPF_ABS, 0, 0, 2}, {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW}},
      {{BPF_LD | BPF_W | BPF_ABS, 0, 0, 0xfffffffc}, {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW}},
      {{BPF_JMP | BPF_JA, 0, 0, 1}, {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW}},
      {{BPF_JMP | BPF_JA, 0, 0, 0xffffffff}, {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW}},
      {{BPF_JMP | BPF_JEQ | BPF_K, 200, 200, 0}, {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW}},
      {{BPF_RET | BPF_A, 0, 0, SECCOMP_RET_ALLOW}},
      {{BPF_LD | BPF_B | BPF_ABS, 0, 0, 0}, {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW}},
      {{BPF_ALU | BPF_ADD | BPF_K, 0, 0, 1}, {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW}},
      {{BPF_ST, 0, 0, 0}, {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW}},
      {{0xffff, 0, 0, 0}, {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW}},
  };
  for (std::size_t i = 0; i < malformed.size(); ++i)
    EXPECT_EQ(interpret(malformed[i], call_of("read")), SECCOMP_RET_KILL_PROCESS) << i;
}

TEST(SeccompInterpreter, KnowsEachInstruction) {
  const Program low_and_high{
      {BPF_LD | BPF_W | BPF_ABS, 0, 0, 20},  // upper half of the first argument
      {BPF_ALU | BPF_AND | BPF_K, 0, 0, 0xff00},
      {BPF_JMP | BPF_JEQ | BPF_K, 0, 5, 0x1200},
      {BPF_LD | BPF_W | BPF_ABS, 0, 0, 16},
      {BPF_JMP | BPF_JGT | BPF_K, 0, 3, 6},
      {BPF_JMP | BPF_JGE | BPF_K, 2, 0, 9},
      {BPF_JMP | BPF_JSET | BPF_K, 0, 1, 2},
      {BPF_RET | BPF_K, 0, 0, 1},
      {BPF_RET | BPF_K, 0, 0, 2},
  };
  const auto run = [&](std::uint64_t argument) { return interpret(low_and_high, call_of(0, {argument})); };
  EXPECT_EQ(run(0x0000'3412'0000'0007), 2U);  // JEQ
  EXPECT_EQ(run(0x0000'1234'0000'0006), 2U);  // JGT
  EXPECT_EQ(run(0x0000'1234'0000'0007), 1U);
  EXPECT_EQ(run(0x0000'1234'0000'0008), 2U);  // JSET
  EXPECT_EQ(run(0x0000'1234'0000'0009), 2U);  // JGE
  EXPECT_EQ(run(0x0000'1234'0000'000a), 2U);
}

}  // namespace
}  // namespace jail::confine::seccomp
