// A jail is built and its program started, or nothing of it is: what a failure says, and that it leaves nobody behind.
#include "run/build.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/wait.h>

#include "host.h"
#include "sys/file.h"

namespace jail::run {
namespace {

using test::Host;
using test::run_plugin;
using test::Scratch;
using test::Told;
using test::Wish;

class Build : public test::ForEitherStarter {};
INSTANTIATE_TEST_SUITE_P(, Build, test::either_starter(), test::name_of);

TEST_P(Build, StartsTheProgramAndHasItsStatus) {
  for (const char* status : {"0", "1", "7", "125", "255"}) {
    const Told told = run_plugin(GetParam(), {.argv = {"exit", status}});
    EXPECT_EQ(told["exit"], status) << told["threw"] << told["failed"] << told["reason"];
    EXPECT_EQ(told["outcome"], "exited");
  }
}

TEST_P(Build, TheProgramSeesItselfAsTheSecondOfItsNamespace) {
  const Told told = run_plugin(GetParam(), {.argv = {"pids"}});
  EXPECT_EQ(told.number("pid"), 2);
  EXPECT_EQ(told.number("ppid"), 0);
}

std::string status_line(const Told& told, const std::string& name) {
  const std::size_t start = told.plugin.find("\n" + name + ":\t");
  if (start == std::string::npos) return "no " + name;
  const std::size_t from = start + name.size() + 3;
  return told.plugin.substr(from, told.plugin.find('\n', from) - from);
}

// The one group that has a number in there is the jail's own; any other is seen as 65534, the kernel's overflow group.
std::string groups_seen_inside(const std::string& own) {
  std::string line;
  for (const gid_t group : test::kept_groups()) line += (std::to_string(group) == own ? own : "65534") + " ";
  return line.empty() ? " " : line;
}

TEST_P(Build, TheProgramHasNoPowerAndNoWayToOne) {
  const Told told = run_plugin(GetParam(), {.argv = {"status"}});
  const std::string id = std::to_string(plugin_uid());
  for (const char* set : {"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"})
    EXPECT_EQ(status_line(told, set), "0000000000000000") << set;
  EXPECT_EQ(status_line(told, "NoNewPrivs"), "1");
  EXPECT_EQ(status_line(told, "Seccomp"), "2");
  EXPECT_EQ(status_line(told, "Uid"), id + "\t" + id + "\t" + id + "\t" + id);
  EXPECT_EQ(status_line(told, "Gid"), id + "\t" + id + "\t" + id + "\t" + id);
  EXPECT_EQ(status_line(told, "Groups"), groups_seen_inside(id));
}

TEST_P(Build, TheProgramHasOnlyTheDescriptorsItIsGiven) {
  Wish wish{.argv = {"descriptors"}};
  wish.before = [] {
    for (const int fd : {7, 20, 900, 1000}) (void)::dup2(0, fd);  // a careless host
  };
  EXPECT_EQ(run_plugin(GetParam(), wish).plugin, "fd 0\nfd 1\nfd 2\nfd 3\n");
}

TEST_P(Build, TheProgramHasOnlyTheVariablesThatAreNamed) {
  Wish wish{.argv = {"environment"}};
  wish.profile.env.allow = {{"JAIL_TEST_*", {}}};
  wish.before = [] {
    (void)::setenv("JAIL_TEST_A", "1", 1);
    (void)::setenv("LD_PRELOAD", "/evil.so", 1);
    (void)::setenv("TOKEN", "secret", 1);
  };
  EXPECT_EQ(run_plugin(GetParam(), wish).plugin, "JAIL_TEST_A=1\n");
}

// A thread-pool host may ignore SIGCHLD or block what it likes: its plugin starts with default actions.
TEST_P(Build, TheProgramInheritsNoOddSignals) {
  Wish wish{.argv = {"status"}};
  wish.before = [] {
    for (const int number : {SIGCHLD, SIGPIPE, SIGTERM, SIGUSR1}) (void)::signal(number, SIG_IGN);
    sigset_t all;
    sigfillset(&all);
    (void)::sigprocmask(SIG_BLOCK, &all, nullptr);
  };
  const Told told = run_plugin(GetParam(), wish);
  EXPECT_EQ(told["exit"], "0") << told["reason"];
  for (const char* set : {"SigBlk", "SigIgn", "SigCgt", "SigPnd"})
    EXPECT_EQ(status_line(told, set), "0000000000000000") << set;
}

TEST_P(Build, NoMountOfTheProgramsIsSharedWithTheHosts) {
  const Told told = run_plugin(GetParam(), {.argv = {"mounts"}});
  EXPECT_NE(told.plugin.find(" /proc "), std::string::npos) << told.plugin;
  EXPECT_EQ(told.plugin.find(" shared:"), std::string::npos) << told.plugin;
  EXPECT_EQ(told.plugin.find(" master:"), std::string::npos) << told.plugin;
}

// ---- programs that cannot be started

TEST_P(Build, AMissingProgramIs127) {
  const Told told = run_plugin(GetParam(), {.argv = {}, .program = "/nonexistent/program"});
  EXPECT_EQ(told["exit"], "127");
  EXPECT_EQ(told["outcome"], "setup-error");
  EXPECT_NE(told["reason"].find("No such file"), std::string::npos) << told["reason"];
}

TEST_P(Build, AProgramThatMayNotBeStartedIs126) {
  Scratch scratch;
  const std::string folder = scratch.folder("folder"), text = scratch.file("text", "x", 0644),
                    broken = scratch.file("broken", "\177ELF", 0755);
  for (const std::string& program : {folder, text, broken}) {
    const Told told = run_plugin(GetParam(), {.argv = {}, .program = program});
    EXPECT_EQ(told["exit"], "126") << program << told["reason"];
    EXPECT_EQ(told["outcome"], "setup-error") << program;
  }
}

TEST_P(Build, AProgramThatIsOnlyReadableIsNotStarted) {
  Scratch scratch;
  std::filesystem::copy_file(JAIL_TEST_PLUGIN, scratch / "readable");
  Wish wish{.argv = {"exit", "0"}};
  wish.profile.filesystem.grants.push_back(
      {.access = profile::Access::Read, .path = scratch / "readable", .optional = false, .place = {}});
  wish.change = [&](Plan& plan) { plan.command.candidates = {scratch / "readable"}; };
  const Told told = run_plugin(GetParam(), wish);
  EXPECT_EQ(told["exit"], "126") << told["reason"];
}

// ---- failures of each process that builds

TEST_P(Build, APathThatIsNoLongerWhatThePlanSawEndsIt) {
  Wish wish{.argv = {"exit", "0"}};
  wish.change = [](Plan& plan) { ++plan.view.anchors.at(0).identity.inode; };
  const Told told = run_plugin(GetParam(), wish);
  EXPECT_EQ(told["failed"], "mount") << told["threw"];
  EXPECT_EQ(told["error"], "ESTALE");
  EXPECT_NE(told["reason"].find("changed while"), std::string::npos) << told["reason"];
}

TEST_P(Build, AFolderThatMayNotBeEnteredEndsIt) {
  Wish wish{.argv = {"exit", "0"}};
  wish.change = [](Plan& plan) { plan.view.cwd = "/nonexistent"; };
  const Told told = run_plugin(GetParam(), wish);
  EXPECT_EQ(told["failed"], "mount") << told["threw"];
  EXPECT_NE(told["reason"].find("/nonexistent"), std::string::npos) << told["reason"];
}

TEST_P(Build, ALandlockRuleThatTheKernelRefusesEndsIt) {
  Wish wish{.argv = {"exit", "0"}};
  wish.change = [](Plan& plan) { plan.landlock.rules.at(0).access = ~0ULL; };
  const Told told = run_plugin(GetParam(), wish);
  EXPECT_EQ(told["failed"], "landlock") << told["threw"];
  EXPECT_EQ(told["error"], "EINVAL");
}

TEST_P(Build, ALimitThatLeavesNoRoomToStartEndsItOneWayOrTheOther) {
  Wish wish{.argv = {"exit", "0"}};
  wish.profile.limits.memory.value = 4096;
  const Told told = run_plugin(GetParam(), wish);
  EXPECT_TRUE(!told["failed"].empty() || told["exit"] != "0") << "it ran in one page";
  EXPECT_EQ(told["threw"], "");
}

TEST_P(Build, ASignalBeforeThePluginStandsEndsIt) {
  Wish wish{.argv = {"exit", "0"}};
  wish.change = [](Plan&) { (void)::raise(SIGTERM); };
  const Told told = run_plugin(GetParam(), wish);
  EXPECT_EQ(told["failed"], "pid") << told["exit"];
  EXPECT_EQ(told["error"], "EINTR");
}

// Exhaustion is no proof that this machine forbids anything (SECURITY C3).
TEST_P(Build, ALimitOfNamespacesThatIsReachedEndsItAsExhausted) {
  Wish wish{.argv = {"exit", "0"}};
  wish.before = [] {
    const uid_t uid = ::geteuid();
    const gid_t gid = ::getegid();
    check(::unshare(CLONE_NEWUSER), "unshare");
    confine::identity::write_own_maps(uid, gid);
    sys::write_file("/proc/sys/user/max_user_namespaces", "0");
  };
  const Told told = run_plugin(GetParam(), wish);
  EXPECT_EQ(told["failed"], "userns") << told["threw"];
  EXPECT_EQ(told["error"], "ENOSPC");
}

// What is left of a failure is seen by a host that goes on: no child, no descriptor.
TEST_P(Build, AFailureLeavesNoProcessAndNoDescriptorBehind) {
  const std::vector<std::function<void(Plan&)>> failures = {
      [](Plan& plan) { plan.view.cwd = "/nonexistent"; },
      [](Plan& plan) { ++plan.view.anchors.at(0).identity.inode; },
      [](Plan& plan) { plan.landlock.rules.at(0).access = ~0ULL; },
      [](Plan&) { (void)::raise(SIGTERM); },
  };
  for (const auto& failure : failures) {
    int before = -1, runs = 0;
    Wish wish{.argv = {"exit", "0"}};
    wish.times = 3;
    wish.change = [&, failure](Plan& plan) mutable {
      // Looks at what the runs before have left.
      const bool children = ::waitpid(-1, nullptr, WNOHANG) >= 0 || errno != ECHILD;
      const int open = static_cast<int>(std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {}));
      if (++runs > 1 && (children || open != before)) throw SysError(children ? ECHILD : EMFILE, "left behind");
      before = open;
      failure(plan);
    };
    const Told told = run_plugin(GetParam(), wish);
    EXPECT_EQ(told["threw"], "");
    EXPECT_FALSE(told["failed"].empty());
  }
}

}  // namespace
}  // namespace jail::run
