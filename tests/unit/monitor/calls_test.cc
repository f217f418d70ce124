// What the filter asks the supervisor about, by what `monitor.files` wants told.
#include "monitor/calls.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/audit.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "confine/seccomp.h"
#include "confine/seccomp_interpreter.h"

namespace jail::monitor {
namespace {

using profile::MonitorFiles;

struct Asked {
  int number;
  std::vector<std::uint64_t> arguments;
};

bool is_notified(MonitorFiles files, const Asked& call) {
  using namespace confine::seccomp;
  const Program program = compile(observed(plan({}), observations(files)));
  seccomp_data data{.nr = call.number, .arch = AUDIT_ARCH_X86_64, .instruction_pointer = 0, .args = {}};
  std::copy(call.arguments.begin(), call.arguments.end(), data.args);
  return interpret(program, data) == SECCOMP_RET_USER_NOTIF;
}

TEST(Observations, WhatIsNeverDeniedIsAskedForWhereAllowancesAreTold) {
  constexpr std::uint64_t kNoexecSeal = 8;
  const Asked calls[] = {{SYS_ftruncate, {3, 0}},
                         {SYS_fallocate, {3}},
                         {SYS_memfd_create, {4096, kNoexecSeal}},
                         {SYS_listen, {3}},
                         {SYS_accept, {3}},
                         {SYS_accept4, {3}},
                         {SYS_socketpair, {1, 1}}};
  for (const Asked& call : calls) {
    EXPECT_TRUE(is_notified(MonitorFiles::All, call)) << call.number;
    EXPECT_TRUE(is_notified(MonitorFiles::Changes, call)) << call.number;
    EXPECT_FALSE(is_notified(MonitorFiles::Denied, call)) << call.number;
    EXPECT_FALSE(is_notified(MonitorFiles::None, call)) << call.number;
  }
}

TEST(Observations, FstatIsAskedForByAllOnly) {
  for (const Asked& call : {Asked{SYS_newfstatat, {3, 4096, 4096, AT_EMPTY_PATH}},
                            Asked{SYS_statx, {3, 4096, AT_EMPTY_PATH}}}) {
    EXPECT_TRUE(is_notified(MonitorFiles::All, call));
    EXPECT_FALSE(is_notified(MonitorFiles::Denied, call));
  }
  EXPECT_TRUE(is_notified(MonitorFiles::Denied, {SYS_newfstatat, {3, 4096, 4096, 0}}));
}

TEST(Observations, OnlyMemoryThatBecomesCodeIsAskedFor) {
  for (const int number : {SYS_mprotect, SYS_pkey_mprotect}) {
    EXPECT_TRUE(is_notified(MonitorFiles::Denied, {number, {4096, 4096, PROT_READ | PROT_EXEC}}));
    EXPECT_FALSE(is_notified(MonitorFiles::Denied, {number, {4096, 4096, PROT_READ | PROT_WRITE}}));
    EXPECT_FALSE(is_notified(MonitorFiles::None, {number, {4096, 4096, PROT_READ | PROT_EXEC}}));
  }
}

}  // namespace
}  // namespace jail::monitor
