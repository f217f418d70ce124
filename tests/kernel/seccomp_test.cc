// The filter on the running kernel. Each denial is shown twice: denied under the filter, and not so without it.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/stat.h>

#include <thread>

#include "seccomp_filtered.h"

namespace jail::confine::seccomp {
namespace {

using test::errno_of;
using test::expect_errno;
using test::under_filter;
using test::unfiltered;
using test::Who;

TEST(SeccompEnforce, IsReadBack) {
  const Installed before = verify();
  EXPECT_EQ(under_filter([&]() -> std::string {
              const Installed now = verify();
              if (now.mode != SECCOMP_MODE_FILTER) return "mode " + std::to_string(now.mode);
              return now.filters == before.filters + 1 ? "" : std::to_string(now.filters) + " filters";
            }),
            "");
}

TEST(SeccompEnforce, NeedsNoNewPrivileges) {
  EXPECT_EQ(unfiltered([] { return expect_errno("seccomp", -enforce(compile(plan({}))), EACCES); }), "");
}

TEST(SeccompEnforce, WithASecondListenerIsBusyAndWithoutOneWorks) {
  EXPECT_EQ(unfiltered([]() -> std::string {
              const Program program = compile(plan({.set = {}, .allow = {{"seccomp", {}}}, .deny = {}}));
              if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return "no_new_privs";
              if (enforce(program, SECCOMP_FILTER_FLAG_NEW_LISTENER) < 0) return "no listener to begin with";
              const int second = enforce(program, SECCOMP_FILTER_FLAG_NEW_LISTENER);
              return expect_errno("second listener", -second, EBUSY) +
                     expect_errno("no listener", -enforce(program), 0);
            }),
            "");
}

TEST(SeccompProbe, SaysWhatThisKernelHas) {
  const Support support = probe();
  EXPECT_TRUE(support.filter);
  EXPECT_TRUE(support.kill_process);
  EXPECT_EQ(unfiltered([&]() -> std::string {  // the flags it says are known are accepted
              if (!support.wait_killable) return "";
              if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return "no_new_privs";
              const int listener = enforce(compile(plan({})), SECCOMP_FILTER_FLAG_NEW_LISTENER | (1U << 5));
              return listener >= 0 ? "" : "refused: " + errno_name(-listener);
            }),
            "");
}

}  // namespace
}  // namespace jail::confine::seccomp
