// Who a process of the jail is, seen from the host: never root, in no group of root's, without the operator's keys.
#include "confine/identity.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/keyctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <fstream>
#include <sstream>

#include "jailed.h"
#include "sys/capabilities.h"

namespace jail::confine::identity {
namespace {

using test::all;
using test::expect;
using test::expect_failure;
using test::Held;

// The numbers of a line of a process's status, as this process sees them.
std::vector<long> numbers(pid_t pid, const std::string& name) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  std::vector<long> all;
  for (std::string line; std::getline(status, line);) {
    if (!line.starts_with(name + ":")) continue;
    std::istringstream values(line.substr(name.size() + 1));
    for (long value = 0; values >> value;) all.push_back(value);
  }
  return all;
}

std::string expect_numbers(pid_t pid, const std::string& name, const std::vector<long>& wanted) {
  std::string text;
  const std::vector<long> got = numbers(pid, name);
  for (const long value : got) text += std::to_string(value) + " ";
  return expect(got == wanted, name + " is " + text);
}

class Identity : public test::ForEitherStarter {
 protected:
  [[nodiscard]] std::string jailed(const test::Inside& inside, const test::Outside& outside = {}) const {
    return test::as_starter(GetParam(), [&] { return test::in_namespaces({}, inside, outside); });
  }
};
INSTANTIATE_TEST_SUITE_P(, Identity, test::either_starter(), test::name_of);

TEST_P(Identity, SeenFromTheHostIsNeverRoot) {
  const long id = static_cast<long>(plugin_uid());
  const std::vector<gid_t> kept = test::kept_groups();
  const std::vector<long> groups(kept.begin(), kept.end());
  EXPECT_EQ(jailed(
                [](const Held& held) {
                  held.wait();
                  return std::string();
                },
                [&](pid_t pid) {
                  return all({expect_numbers(pid, "Uid", {id, id, id, id}),
                              expect_numbers(pid, "Gid", {id, id, id, id}), expect_numbers(pid, "Groups", groups)});
                }),
            "");
}

TEST_P(Identity, IsTheSameNumberInside) {
  EXPECT_EQ(jailed([](const Held&) {
              return all({expect(::geteuid() == plugin_uid() && ::getuid() == plugin_uid(),
                                 "uid " + std::to_string(::geteuid())),
                          expect(::getegid() == plugin_uid(), "gid " + std::to_string(::getegid()))});
            }),
            "");
}

TEST_P(Identity, IsReadBackByVerify) {
  EXPECT_EQ(jailed([](const Held&) {
              const bool by_root = GetParam() == test::Starter::Root;
              const Plan right{
                  .uid = plugin_uid(), .gid = plugin_uid(), .by_root = by_root, .kept_groups = {}, .problem = {}};
              Plan wrong = right;
              ++wrong.gid;
              return all({expect(identity::verify(right), "the planned ids are not there"),
                          expect(!identity::verify(wrong), "others seem to be")});
            }),
            "");
}

// The kernel asks for the host's uid 0 here, whatever the process may do in its own user namespace (SECURITY A1).
TEST_P(Identity, WritesNothingThatOnlyTheHostsRootMay) {
  const auto opens = [](const char* path, int flags) { return static_cast<bool>(Fd(::open(path, flags))); };
  EXPECT_EQ(jailed([&](const Held&) {
              return all({expect_failure(!opens("/proc/sys/kernel/core_pattern", O_WRONLY), EACCES, "core_pattern"),
                          expect_failure(!opens("/etc/shadow", O_RDONLY), EACCES, "/etc/shadow"),
                          expect_failure(!opens("/etc/passwd", O_WRONLY), EACCES, "/etc/passwd")});
            }),
            "");
  EXPECT_EQ(opens("/etc/shadow", O_RDONLY), ::geteuid() == 0) << "the control";
}

TEST_P(Identity, CannotTakeAnotherId) {
  EXPECT_EQ(jailed([](const Held&) {
              return all({expect_failure(::setresuid(0, 0, 0) != 0, EINVAL, "uid 0"),
                          expect_failure(::setresgid(0, 0, 0) != 0, EINVAL, "gid 0"),
                          expect_failure(::setresuid(kUnprivilegedId + 1, 0, 0) != 0, EINVAL, "another uid")});
            }),
            "");
}

TEST(IdentityOfRoot, LeavesAllOfRootsGroupsBehind) {
  if (::geteuid() != 0) GTEST_SKIP() << "this test run is not root's";
  for (const auto kind : {profile::User::Kind::Keep, profile::User::Kind::Root}) {
    profile::Setting<profile::User> user;
    user.value.kind = kind;
    EXPECT_EQ(test::complaint_of_child([&] {
                const gid_t groups[] = {0, 4, 27};
                check(::setgroups(3, groups), "setgroups");
                return test::in_namespaces(
                    user,
                    [](const Held& held) {
                      held.wait();
                      return std::string();
                    },
                    [](pid_t pid) { return expect_numbers(pid, "Groups", {}); });
              }),
              "")
        << (kind == profile::User::Kind::Root ? "user: root" : "user: keep");
  }
}

TEST(IdentityOfRoot, StaysRootOnlyWhereTheProfileNamesIt) {
  if (::geteuid() != 0) GTEST_SKIP() << "this test run is not root's";
  profile::Setting<profile::User> user;
  user.value.kind = profile::User::Kind::Root;
  EXPECT_EQ(test::in_namespaces(user,
                                [](const Held&) {
                                  return all({expect(::getuid() == 0, "uid " + std::to_string(::getuid())),
                                              expect(static_cast<bool>(Fd(::open("/etc/shadow", O_RDONLY))),
                                                     "the control: not root after all")});
                                },
                                {}),
            "");
}

TEST(IdentityOfAUser, CannotSetGroupsAndKeepsThoseItHas) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can start somebody with groups";
  EXPECT_EQ(test::complaint_of_child([] {
              const gid_t groups[] = {27, 100};
              check(::setgroups(2, groups), "setgroups");
              check(::setresgid(test::kOrdinaryUser, test::kOrdinaryUser, test::kOrdinaryUser), "setresgid");
              check(::setresuid(test::kOrdinaryUser, test::kOrdinaryUser, test::kOrdinaryUser), "setresuid");
              sys::set_dumpable(sys::Dumpable::Yes);
              return test::in_namespaces(
                  {},
                  [](const Held& held) {
                    held.wait();
                    return expect_failure(::setgroups(0, nullptr) != 0, EPERM, "setgroups");
                  },
                  [](pid_t pid) {
                    return expect_numbers(pid, "Groups", {27, 100});
                  });
            }),
            "");
}

// ---- keys

long keyctl(int operation, auto... arguments) { return ::syscall(SYS_keyctl, operation, arguments...); }

TEST_P(Identity, DoesNotPossessTheKeysOfTheOperatorsSession) {
  EXPECT_EQ(test::as_starter(
                GetParam(),
                [&]() -> std::string {
                  if (keyctl(KEYCTL_JOIN_SESSION_KEYRING, "jail-test") < 0)
                    return "no session keyring: " + errno_name(errno);
                  const long key =
                      ::syscall(SYS_add_key, "user", "jail-test-secret", "hunter2", 7, KEY_SPEC_SESSION_KEYRING);
                  if (key < 0) return "no key: " + errno_name(errno);
                  const auto finds = [] {
                    return keyctl(KEYCTL_SEARCH, KEY_SPEC_SESSION_KEYRING, "user", "jail-test-secret", 0) > 0;
                  };
                  const auto reads = [key] {
                    char text[16];
                    return keyctl(KEYCTL_READ, key, text, sizeof text) > 0;
                  };
                  std::string text =
                      all({expect(finds(), "the control: not found"), expect(reads(), "the control: not read")});
                  text += expect(test::in_child([&] { return finds() && reads(); }) == 0,
                                 "the control: a plain child has it");
                  return text + test::in_namespaces({},
                                                    [&](const Held&) {
                                                      return all({expect_failure(!finds(), ENOKEY, "by name"),
                                                                  expect(!reads(), "it can be read by its number")});
                                                    },
                                                    {});
                }),
            "");
}

}  // namespace
}  // namespace jail::confine::identity
