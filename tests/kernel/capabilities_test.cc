#include "sys/capabilities.h"

#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/prctl.h>

#include <fstream>

#include "jailed.h"

namespace jail::sys {
namespace {

using test::all;
using test::expect;
using test::expect_failure;

constexpr const char* kSets[] = {"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"};

// The value of a line of /proc/self/status.
std::string field(const std::string& name) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with(name + ":\t")) return line.substr(name.size() + 2);
  return "no " + name;
}

class Capabilities : public test::ForEitherStarter {};
INSTANTIATE_TEST_SUITE_P(, Capabilities, test::either_starter(), test::name_of);

TEST_P(Capabilities, AreGoneFromEverySet) {
  EXPECT_EQ(test::in_jail(GetParam(),
                          [] {
                            std::string text =
                                expect(field("CapEff") != "0000000000000000", "the control: there were none");
                            text += expect(!remaining_capabilities().empty(), "the control: none is named");
                            drop_all_capabilities();
                            for (const char* set : kSets)
                              text += expect(field(set) == "0000000000000000", std::string(set) + " is " + field(set));
                            return all({text, expect(remaining_capabilities().empty(), "some remain")});
                          }),
            "");
}

TEST_P(Capabilities, DoNotWorkAnyMore) {
  EXPECT_EQ(test::in_jail(GetParam(),
                          [] {
                            const auto mounts = [] { return ::mount("test", "/var/tmp", "tmpfs", 0, nullptr) == 0; };
                            std::string text = expect(mounts(), "the control: before");
                            drop_all_capabilities();
                            return all({text, expect_failure(!mounts(), EPERM, "mount"),
                                        expect_failure(::sethostname("x", 1) != 0, EPERM, "sethostname")});
                          }),
            "");
}

TEST_P(Capabilities, CannotBeHadAgainAndTheSecurebitsAreLocked) {
  EXPECT_EQ(test::in_jail(GetParam(),
                          [] {
                            drop_all_capabilities();
                            constexpr int kLocked = 0x02 | 0x08 | 0x20 | 0x80, kSet = 0x01 | 0x04 | 0x40;
                            const int bits = ::prctl(PR_GET_SECUREBITS);
                            return all({expect((bits & (kLocked | kSet)) == (kLocked | kSet),
                                               "securebits are " + std::to_string(bits)),
                                        expect_failure(::prctl(PR_SET_SECUREBITS, 0) != 0, EPERM, "PR_SET_SECUREBITS"),
                                        expect_failure(::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, 1, 0, 0) != 0,
                                                       EPERM, "an ambient one")});
                          }),
            "");
}

// uid 0 of a user namespace gets everything back at execve(2) unless SECBIT_NOROOT says it does not.
TEST(CapabilitiesOfRoot, DoNotComeBackWithExecEither) {
  if (::geteuid() != 0) GTEST_SKIP() << "this test run is not root's";
  profile::Setting<profile::User> root;
  root.value.kind = profile::User::Kind::Root;
  const auto effective_after_exec = [] {
    int ends[2];
    check(::pipe(ends), "pipe");
    const pid_t child = ::fork();
    if (child == 0) {
      ::dup2(ends[1], 3);
      ::execl(JAIL_TEST_PLUGIN, "plugin", "status", nullptr);
      ::_exit(99);
    }
    ::close(ends[1]);
    std::string text(8192, '\0');
    text.resize(static_cast<std::size_t>(std::max<ssize_t>(0, ::read(ends[0], text.data(), text.size()))));
    (void)test::status_of(child);
    const std::size_t found = text.find("CapEff:\t");
    return found == std::string::npos ? "no status" : text.substr(found + 8, 16);
  };
  EXPECT_EQ(test::as_starter(test::Starter::Root,
                             [&] {
                               return test::in_namespaces(
                                   root,
                                   [&](const test::Held&) {
                                     std::string text =
                                         expect(effective_after_exec() != "0000000000000000", "the control: before");
                                     drop_all_capabilities();
                                     return text + expect(effective_after_exec() == "0000000000000000",
                                                          "after: " + effective_after_exec());
                                   },
                                   {});
                             }),
            "");
}

}  // namespace
}  // namespace jail::sys
