// The same policy, compiled by libseccomp: both programs must allow the same calls. libseccomp cannot say "any of these
// bits" nor "first match", so the policy is given to it as two filters that the kernel would run one after the other:
// which numbers are allowed (for allow lists: with which arguments), and which arguments are refused.
#include <gtest/gtest.h>
#include <seccomp.h>
#include <sys/mman.h>

#include <memory>
#include <stdexcept>

#include "base/fd.h"
#include "confine/seccomp_interpreter.h"
#include "seccomp_calls.h"

namespace jail::confine::seccomp {
namespace {

using Arguments = std::vector<scmp_arg_cmp>;

class Libseccomp {
 public:
  explicit Libseccomp(std::uint32_t otherwise) : context_(::seccomp_init(otherwise), &::seccomp_release) {
    ::seccomp_attr_set(context_.get(), SCMP_FLTATR_ACT_BADARCH, otherwise);
  }

  void add(std::uint32_t action, std::uint32_t number, const Arguments& arguments) {
    const int result = ::seccomp_rule_add_array(context_.get(), action, static_cast<int>(number),
                                                static_cast<unsigned>(arguments.size()), arguments.data());
    if (result != 0) throw std::runtime_error("seccomp_rule_add: " + std::to_string(result));
  }

  // One rule for every combination of values; "is not this value" becomes a rule for each bit that may differ.
  void add_clause(std::uint32_t action, std::uint32_t number, std::span<const Test> tests,
                  const Arguments& before = {}) {
    if (tests.empty()) return add(action, number, before);
    const Test& test = tests.front();
    const auto with = [&](std::uint64_t mask, std::uint64_t value) {
      Arguments arguments = before;
      arguments.push_back({test.argument, SCMP_CMP_MASKED_EQ, mask, value});
      add_clause(action, number, tests.subspan(1), arguments);
    };
    if (test.is == Test::Is::AnyOf) {
      for (const std::uint32_t value : test.wanted()) with(test.mask, value);
    } else {
      for (std::uint32_t bit = 1; bit != 0; bit <<= 1)
        if ((test.mask & bit) != 0) with(bit, bit & ~test.values[0]);
    }
  }

  Program program() const {
    const Fd file(::memfd_create("filter", MFD_CLOEXEC));
    if (::seccomp_export_bpf(context_.get(), file.get()) != 0) throw std::runtime_error("seccomp_export_bpf");
    Program program(static_cast<std::size_t>(::lseek(file.get(), 0, SEEK_END)) / sizeof(sock_filter));
    const auto bytes = static_cast<ssize_t>(program.size() * sizeof(sock_filter));
    if (::pread(file.get(), program.data(), program.size() * sizeof(sock_filter), 0) != bytes)
      throw std::runtime_error("pread");
    return program;
  }

 private:
  std::unique_ptr<void, decltype(&::seccomp_release)> context_;
};

struct Pair {
  Program numbers;
  Program arguments;

  bool allows(const seccomp_data& call) const {
    return interpret(numbers, call) == SECCOMP_RET_ALLOW && interpret(arguments, call) == SECCOMP_RET_ALLOW;
  }
};

Pair by_libseccomp(const Plan& plan) {
  Libseccomp numbers(SCMP_ACT_ERRNO(ENOSYS));
  Libseccomp arguments(SCMP_ACT_ALLOW);
  for (std::uint32_t number = 0; number < kTableEnd; ++number) {
    const Rule& rule = plan.rules[number];
    const bool allow_list = rule.otherwise != kAllow;
    if (!allow_list) numbers.add(SCMP_ACT_ALLOW, number, {});
    for (const Clause& clause : rule.clauses) {
      const bool allows = clause.verdict == kAllow;
      if (allow_list && allows) numbers.add_clause(SCMP_ACT_ALLOW, number, clause.all());
      if (!allow_list && !allows) arguments.add_clause(SCMP_ACT_ERRNO(EPERM), number, clause.all());
      if (!allow_list && allows) throw std::logic_error("an allowing clause in an allowed call");
    }
  }
  return {numbers.program(), arguments.program()};
}

void expect_same_verdicts(const profile::Syscalls& wanted, const Options& options) {
  const Plan rules = plan(wanted, options);
  const Program ours = compile(rules);
  const Pair theirs = by_libseccomp(rules);
  EXPECT_LT(ours.size(), theirs.numbers.size());
  test::RandomCalls calls(rules);
  long allowed = 0;
  for (int i = 0; i < 100'000; ++i) {
    const seccomp_data call = calls.next();
    const bool allow = interpret(ours, call) == SECCOMP_RET_ALLOW;
    allowed += allow ? 1 : 0;
    ASSERT_EQ(allow, theirs.allows(call)) << call.nr << " arch " << std::hex << call.arch << " " << call.args[0] << " "
                                          << call.args[1] << " " << call.args[2] << " " << call.args[3];
  }
  EXPECT_GT(allowed, 30'000);
}

profile::Syscalls strict() {
  profile::Syscalls wanted;
  wanted.set.value = profile::SyscallSet::Strict;
  return wanted;
}

TEST(SeccompOracle, StandardAllowsWhatLibseccompsFilterAllows) { expect_same_verdicts({}, {}); }
TEST(SeccompOracle, StrictAllowsWhatLibseccompsFilterAllows) { expect_same_verdicts(strict(), {}); }
TEST(SeccompOracle, GapsAllowWhatLibseccompsFilterAllows) { expect_same_verdicts({}, test::every_gap()); }
TEST(SeccompOracle, UnixSocketsAllowWhatLibseccompsFilterAllows) {
  expect_same_verdicts({}, {.unix_sockets = UnixSockets::Allowed});
  expect_same_verdicts({}, {.unix_sockets = UnixSockets::ConnectOnly});
  expect_same_verdicts({}, {.unix_sockets = UnixSockets::Denied});
}

}  // namespace
}  // namespace jail::confine::seccomp
