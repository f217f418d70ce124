// The edges of the system-call ABI on the running kernel: every refused number, other machines' numbers, threads and
// processes that must still start.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>

#include <thread>

#include "seccomp_filtered.h"

extern char** environ;

namespace jail::confine::seccomp {
namespace {

using test::errno_of;
using test::expect_errno;
using test::under_filter;
using test::unfiltered;
using test::Who;

std::string refuses_what_it_says(const Plan& rules) {
  std::string wrong;
  for (std::uint32_t number = 0; number < 600; ++number) {
    const Rule nothing;
    const Rule& rule = number < kTableEnd ? rules.rules[number] : nothing;
    if (rule.otherwise == kAllow || !rule.clauses.empty()) continue;
    const std::string name(name_of(number).value_or("nothing"));
    wrong += expect_errno(std::to_string(number) + " " + name, errno_of(number, -1L, -1L, -1L, -1L, -1L, -1L),
                          rule.otherwise.error);
  }
  return wrong;
}

TEST(SeccompAbi, EveryRefusedNumberGetsItsErrno) {
  for (const auto set : {profile::SyscallSet::Standard, profile::SyscallSet::Strict}) {
    profile::Syscalls wanted;
    wanted.set.value = set;
    const Plan rules = plan(wanted);
    EXPECT_EQ(under_filter(rules, [&] { return refuses_what_it_says(rules); }), "");
    EXPECT_EQ(under_filter(
                  rules, [&] { return refuses_what_it_says(rules); }, Who::AsIs),
              "");
  }
}

constexpr int kGetpidOnI386 = 20;

// The kernel's answer to the i386 call, through the gate that a 64-bit program can use as well.
long int_0x80(long number) {
  long result = 0;
  asm volatile("int $0x80" : "=a"(result) : "a"(number) : "memory", "r8", "r9", "r10", "r11");
  return result;
}

TEST(SeccompAbi, I386CallsAreAbsent) {
  if (test::in_child([] { return int_0x80(kGetpidOnI386) == ::getpid(); }) != 0)
    GTEST_SKIP() << "this kernel has no i386 system calls";
  EXPECT_EQ(
      under_filter([] { return expect_errno("i386 getpid", static_cast<int>(-int_0x80(kGetpidOnI386)), ENOSYS); }), "");
}

// Kernels without x32 say ENOSYS themselves, so the filter under test says something else.
TEST(SeccompAbi, X32CallsNeverReachTheKernel) {
  constexpr long kX32 = 0x40000000;
  Plan rules = plan({});
  rules.unknown = rules.foreign = {Action::Errno, ENOTNAM};
  EXPECT_EQ(under_filter(rules,
                         [] {
                           return expect_errno("x32 getpid", errno_of(kX32 | SYS_getpid), ENOTNAM) +
                                  expect_errno("x32 ioctl", errno_of(kX32 | 514, -1, 0, 0), ENOTNAM) +
                                  expect_errno("number -1", errno_of(-1L), ENOTNAM) +
                                  expect_errno("number 9999", errno_of(9999L), ENOTNAM);
                         }),
            "");
}

TEST(SeccompAbi, Clone3IsAbsentAndLibcFallsBack) {
  const auto clone3 = [] { return errno_of(SYS_clone3, nullptr, 0L); };
  EXPECT_EQ(unfiltered([&] { return expect_errno("clone3", clone3(), EINVAL); }), "");
  EXPECT_EQ(under_filter([&]() -> std::string {
              if (auto wrong = expect_errno("clone3", clone3(), ENOSYS); !wrong.empty()) return wrong;
              bool ran = false;
              std::thread([&ran] { ran = true; }).join();
              return ran ? "" : "no thread";
            }),
            "");
}

TEST(SeccompAbi, ProcessesStillStart) {
  EXPECT_EQ(under_filter([]() -> std::string {
              if (test::in_child([] { return true; }) != 0) return "fork";
              const pid_t vforked = ::vfork();
              if (vforked == 0) ::_exit(7);
              if (test::status_of(vforked) != 7) return "vfork";
              char program[] = "/bin/true";
              char* arguments[] = {program, nullptr};
              pid_t spawned = 0;
              if (::posix_spawn(&spawned, program, nullptr, nullptr, arguments, environ) != 0) return "posix_spawn";
              return test::status_of(spawned) == 0 ? "" : "/bin/true";
            }),
            "");
}

long clone_with(unsigned long flags) {
  const long child = ::syscall(SYS_clone, flags | SIGCHLD, nullptr, nullptr, nullptr, nullptr);
  if (child == 0) ::_exit(0);
  return child < 0 ? errno : 0;
}

TEST(SeccompAbi, CloneMakesNoNamespace) {
  for (const unsigned long flag :
       {CLONE_NEWNS, CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET}) {
    const auto clone = [flag] { return expect_errno("clone", static_cast<int>(clone_with(flag)), EPERM); };
    EXPECT_EQ(under_filter(clone, Who::AsIs), "");
    if (::geteuid() == 0) {
      EXPECT_NE(unfiltered(clone, Who::AsIs), "") << std::hex << flag;  // the control: root may
    }
  }
  EXPECT_EQ(under_filter([] { return expect_errno("clone", static_cast<int>(clone_with(0)), 0); }), "");
}

TEST(SeccompAbi, UnshareAndSetnsAreRefused) {
  const auto unshare_files = [] { return errno_of(SYS_unshare, CLONE_FILES); };
  EXPECT_EQ(unfiltered([&] { return expect_errno("unshare", unshare_files(), 0); }), "");
  EXPECT_EQ(under_filter([&] { return expect_errno("unshare", unshare_files(), EPERM); }), "");
  EXPECT_EQ(unfiltered([] { return expect_errno("setns", errno_of(SYS_setns, -1, 0), EBADF); }), "");
  EXPECT_EQ(under_filter([] { return expect_errno("setns", errno_of(SYS_setns, -1, 0), EPERM); }), "");
}

// What a profile may open by its own name is open then.
TEST(SeccompAbi, ANamedCallIsOpen) {
  const Plan opened = plan({.set = {}, .allow = {{"unshare", {}}, {"personality", {}}}, .deny = {}});
  EXPECT_EQ(under_filter(opened, [] { return expect_errno("unshare", errno_of(SYS_unshare, CLONE_FILES), 0); }), "");
}

// The exit status of a child under the filter of pid 1: 0 for a body that held, 128+n for signal n.
int under_init(const std::function<bool()>& body) {
  const Program program = init_program();
  return test::in_child(
      [&] { return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && enforce(program) == 0 && body(); });
}

TEST(SeccompInit, ItsLoopRuns) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  EXPECT_EQ(under_init([&] {
              char byte = 'x';
              pollfd polled{ends[0], POLLIN, 0};
              return ::write(ends[1], &byte, 1) == 1 && ::poll(&polled, 1, -1) == 1 && ::read(ends[0], &byte, 1) == 1 &&
                     ::waitpid(-1, nullptr, WNOHANG) == -1 && ::kill(0, 0) == 0;
            }),
            0);
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST(SeccompInit, AnythingElseEndsIt) {
  constexpr int kBadSystemCall = 128 + SIGSYS;
  EXPECT_EQ(under_init([] { return ::syscall(SYS_getppid) > 0; }), kBadSystemCall);
  EXPECT_EQ(under_init([] { return ::open("/dev/null", O_RDONLY) >= 0; }), kBadSystemCall);
  EXPECT_EQ(under_init([] { return ::socket(AF_INET, SOCK_STREAM, 0) >= 0; }), kBadSystemCall);
}

}  // namespace
}  // namespace jail::confine::seccomp
