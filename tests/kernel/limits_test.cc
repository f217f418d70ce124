// What a plugin may use up, on the running kernel: each limit is reached, and what lies below it still works.
#include "confine/limits.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include <csignal>

#include "jailed.h"
#include "sys/capabilities.h"

namespace jail::confine::limits {
namespace {

using test::all;
using test::expect;
using test::expect_failure;

constexpr std::uint64_t kMiB = 1 << 20;

class Limits : public test::ForEitherStarter {
 protected:
  // What `body` complains of under these limits, in a jail's user namespace and without capabilities, as a plugin is.
  [[nodiscard]] static std::string limited(const profile::Limits& wanted, const std::function<std::string()>& body) {
    return test::in_jail(GetParam(), [&] {
      // Pid 1 handles no signal; a plugin is another process.
      return test::complaint_of_child([&] {
        sys::drop_all_capabilities();
        enforce(plan(wanted));
        return body();
      });
    });
  }
};
INSTANTIATE_TEST_SUITE_P(, Limits, test::either_starter(), test::name_of);

TEST_P(Limits, AreReadBackByVerify) {
  profile::Limits wanted;
  wanted.files.value = 100;
  wanted.cpu_time_ms.value = 5000;
  EXPECT_EQ(test::in_jail(GetParam(),
                          [&] {
                            std::string text = expect(!verify(plan(wanted)), "they seem to be there before");
                            enforce(plan(wanted));
                            return text + expect(verify(plan(wanted)), "they are not there");
                          }),
            "");
}

TEST_P(Limits, CannotBeRaised) {
  profile::Limits wanted;
  wanted.memory.value = 256 * kMiB;
  EXPECT_EQ(limited(wanted,
                    [] {
                      std::string text;
                      for (const auto resource : {RLIMIT_NOFILE, RLIMIT_NPROC, RLIMIT_CORE, RLIMIT_DATA}) {
                        rlimit current{};
                        check(::getrlimit(resource, &current), "getrlimit");
                        const rlimit more{current.rlim_cur + 1, current.rlim_max + 1};
                        text += expect_failure(::setrlimit(resource, &more) != 0, EPERM,
                                               "limit " + std::to_string(resource));
                      }
                      return text;
                    }),
            "");
}

int forks_possible(int most) {
  int made = 0;
  pid_t children[64];
  for (; made < most; ++made) {
    children[made] = ::fork();
    if (children[made] < 0) break;
    if (children[made] == 0)
      for (;;) ::pause();
  }
  const int error = errno;
  for (int i = 0; i < made; ++i) (void)::kill(children[i], SIGKILL);
  for (int i = 0; i < made; ++i) (void)test::status_of(children[i]);
  errno = error;
  return made;
}

// The two processes of the harness stand where pid 1 and the plugin stand in a jail.
TEST_P(Limits, BoundTheNumberOfProcesses) {
  profile::Limits wanted;
  wanted.pids.value = 8;
  EXPECT_EQ(limited(wanted,
                    [] {
                      const int made = forks_possible(40);
                      return all({expect_failure(made < 40, EAGAIN, "fork"),
                                  expect(made == 7, "8 processes less this one are " + std::to_string(made))});
                    }),
            "");
  wanted.pids.value = 60;
  EXPECT_EQ(limited(wanted, [] { return expect(forks_possible(40) == 40, "the control: 40 of 60 cannot be had"); }),
            "");
}

TEST_P(Limits, CountTheProcessesOfTheJailAloneNotThoseOfTheSameUserOutside) {
  profile::Limits wanted;
  wanted.pids.value = 8;
  EXPECT_EQ(test::as_starter(GetParam(),
                             [&] {
                               pid_t strangers[40];
                               for (pid_t& stranger : strangers) {
                                 stranger = ::fork();
                                 if (stranger != 0) continue;
                                 if (::geteuid() == 0)
                                   check(::setresuid(plugin_uid(), plugin_uid(), plugin_uid()), "setresuid");
                                 for (;;) ::pause();
                               }
                               const std::string text = test::in_namespaces({},
                                                                            [&](const test::Held&) {
                                                                              return test::complaint_of_child([&] {
                                                                                sys::drop_all_capabilities();
                                                                                enforce(plan(wanted));
                                                                                return expect(forks_possible(40) == 7,
                                                                                              "not 7 more processes");
                                                                              });
                                                                            },
                                                                            {});
                               for (const pid_t stranger : strangers) (void)::kill(stranger, SIGKILL);
                               for (const pid_t stranger : strangers) (void)test::status_of(stranger);
                               return text;
                             }),
            "");
}

TEST_P(Limits, BoundTheNumberOfDescriptors) {
  profile::Limits wanted;
  wanted.files.value = 20;
  EXPECT_EQ(limited(wanted,
                    [] {
                      int highest = 0;
                      for (int fd = 0; fd >= 0; fd = ::dup(0)) highest = fd;
                      return all({expect(highest == 19, "the highest is " + std::to_string(highest)),
                                  expect_failure(::dup(0) < 0, EMFILE, "dup")});
                    }),
            "");
}

TEST_P(Limits, BoundTheSizeOfFiles) {
  profile::Limits wanted;
  wanted.file_size.value = 4096;
  EXPECT_EQ(limited(wanted,
                    [] {
                      const Fd file(::memfd_create("test", 0));
                      (void)::signal(SIGXFSZ, SIG_IGN);
                      std::string text = expect(::pwrite(file.get(), "x", 1, 4095) == 1, "the control: the last byte");
                      text += expect_failure(::pwrite(file.get(), "x", 1, 4096) < 0, EFBIG, "one more");
                      return text + expect(test::in_child([&] {
                                             (void)::signal(SIGXFSZ, SIG_DFL);
                                             return ::pwrite(file.get(), "x", 1, 4096) == 1;
                                           }) == 128 + SIGXFSZ,
                                           "no SIGXFSZ");
                    }),
            "");
}

TEST_P(Limits, BoundTheMemoryOfAProcessNotWhatItReserves) {
  profile::Limits wanted;
  wanted.memory.value = 512 * kMiB;
  const auto maps = [](std::size_t size, int protection) {
    return ::mmap(nullptr, size, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED;
  };
  EXPECT_EQ(
      limited(wanted,
              [&] {
                return all({expect(maps(256 * kMiB, PROT_READ | PROT_WRITE), "the control: half of it"),
                            expect_failure(!maps(512 * kMiB, PROT_READ | PROT_WRITE), ENOMEM, "more than it"),
                            expect(maps(4096 * kMiB, PROT_NONE), "a reservation, as Node, Go and Java make them")});
              }),
      "");
}

// The signal tells of the limit (152); SIGKILL would look like somebody else's doing.
TEST_P(Limits, EndAProcessThatUsesUpItsTimeWithTheSignalThatTells) {
  profile::Limits wanted;
  wanted.cpu_time_ms.value = 1000;
  EXPECT_EQ(test::in_jail(GetParam(),
                          [&] {
                            const int status = test::in_child([&]() -> bool {
                              enforce(plan(wanted));
                              for (;;) (void)::getppid();
                            });
                            return expect(status == 128 + SIGXCPU, "it ended with " + std::to_string(status));
                          }),
            "");
}

TEST_P(Limits, KillAProcessThatIgnoresThatSignal) {
  profile::Limits wanted;
  wanted.cpu_time_ms.value = 1000;
  EXPECT_EQ(test::in_jail(GetParam(),
                          [&] {
                            const int status = test::in_child([&]() -> bool {
                              enforce(plan(wanted));
                              (void)::signal(SIGXCPU, SIG_IGN);
                              for (;;) (void)::getppid();
                            });
                            return expect(status == 128 + SIGKILL, "it ended with " + std::to_string(status));
                          }),
            "");
}

TEST_P(Limits, LetNoCoreBeDumped) {
  test::Scratch scratch;
  if (::geteuid() == 0) scratch.give_to(plugin_uid());
  EXPECT_EQ(limited({},
                    [&] {
                      check(::chdir(scratch.path().c_str()), "chdir");
                      const pid_t child = ::fork();
                      if (child == 0) ::abort();
                      int status = 0;
                      check(::waitpid(child, &status, 0), "waitpid");
                      return all({expect(WTERMSIG(status) == SIGABRT, "it did not abort"),
                                  expect(!WCOREDUMP(status), "it dumped a core"),
                                  expect(std::filesystem::is_empty(scratch.path()), "there is a core file")});
                    }),
            "");
}

}  // namespace
}  // namespace jail::confine::limits
