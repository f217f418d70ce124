// Pid 1 of a jail: what a plugin can make of it (nothing), what it does for the jail, and that it ends with the
// supervisor.
#include "run/init.h"

#include <dirent.h>
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <fstream>
#include <set>

#include "host.h"

namespace jail::run {
namespace {

using test::Host;
using test::run_plugin;
using test::Told;
using test::Wish;

class Init : public test::ForEitherStarter {};
INSTANTIATE_TEST_SUITE_P(, Init, test::either_starter(), test::name_of);

// ---- seen from the plugin

TEST_P(Init, ShowsThePluginNothingOfItself) {
  const Told told = run_plugin(GetParam(), {.argv = {"peek"}});
  for (const char* what : {"environ", "mem", "maps", "fd", "root", "cwd", "exe", "auxv", "stack"})
    EXPECT_LT(told.number(what, 1), 0) << what << " of pid 1";
}

TEST_P(Init, CanBeSentNoSignalWhereLandlockScopesThem) {
  if (confine::landlock::probe().abi < 6) GTEST_SKIP() << "Landlock below ABI 6 has no scopes";
  const Told told = run_plugin(GetParam(), {.argv = {"kill-init"}});
  EXPECT_EQ(told.number("refused"), 31);
  EXPECT_EQ(told["exit"], "0") << told["reason"];
}

TEST_P(Init, LivesThroughEverySignalThatThePluginCanSend) {
  Wish wish{.argv = {"kill-init"}};
  wish.change = [](Plan& plan) { plan.landlock.scopes = 0; };
  const Told told = run_plugin(GetParam(), wish);
  EXPECT_EQ(told.number("refused"), 0) << "the control: they could not even be sent";
  EXPECT_EQ(told.number("pid 1 errno"), 0);
  EXPECT_EQ(told["exit"], "0") << told["reason"];
  EXPECT_EQ(told["outcome"], "exited");
}

TEST_P(Init, ReapsOrphans) {
  const Told told = run_plugin(GetParam(), {.argv = {"orphans", "20"}});
  EXPECT_EQ(told.number("zombies"), 0);
}

TEST_P(Init, TakesSurvivorsWithIt) {
  Host host(GetParam(), {.argv = {"survivor"}});
  const Told told = host.wait();  // waits until nobody holds descriptor 3 any more
  EXPECT_EQ(told.number("survivor"), 1);
  EXPECT_EQ(told["exit"], "0");
}

// ---- seen from the host

std::string text_of(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string line_of(const std::string& status, const std::string& name) {
  const std::size_t start = status.find("\n" + name + ":\t");
  if (start == std::string::npos) return "no " + name;
  const std::size_t from = start + name.size() + 3;
  return status.substr(from, status.find('\n', from) - from);
}

class InitFromOutside : public Init {
 protected:
  void SetUp() override {
    Init::SetUp();
    if (::geteuid() != 0) GTEST_SKIP() << "only root looks into an undumpable process";
  }
};
INSTANTIATE_TEST_SUITE_P(, InitFromOutside, test::either_starter(), test::name_of);

TEST_P(InitFromOutside, HoldsOnlyTheSupervisorsSocketAndItsSignals) {
  Wish wish{.argv = {"wait", std::to_string(SIGTERM), "0"}};
  wish.before = [] {
    for (const int fd : {7, 20, 900}) (void)::dup2(0, fd);
  };
  Host host(GetParam(), wish);
  ASSERT_TRUE(host.wait_for_plugin("ready"));
  const std::string folder = "/proc/" + host.wait_for("init") + "/fd";
  std::multiset<std::string> kinds;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string target = std::filesystem::read_symlink(entry.path()).string();
    kinds.insert(target.substr(0, target.find_first_of("[")));
  }
  EXPECT_EQ(kinds, (std::multiset<std::string>{"anon_inode:", "socket:"}));
}

TEST_P(InitFromOutside, KeepsNothingOfTheHostsEnvironment) {
  Wish wish{.argv = {"wait", std::to_string(SIGTERM), "0"}};
  Host host(GetParam(), wish);
  ASSERT_TRUE(host.wait_for_plugin("ready"));
  EXPECT_NE(text_of("/proc/" + std::to_string(host.pid()) + "/environ").find("PATH="), std::string::npos)
      << "the control";
  const std::string environment = text_of("/proc/" + host.wait_for("init") + "/environ");
  EXPECT_EQ(environment.find_first_not_of('\0'), std::string::npos) << environment;
}

TEST_P(InitFromOutside, IsNobodyWithNoPowerUndumpableUnderAFilter) {
  Host host(GetParam(), {.argv = {"wait", std::to_string(SIGTERM), "0"}});
  ASSERT_TRUE(host.wait_for_plugin("ready"));
  const std::string process = "/proc/" + host.wait_for("init");
  std::string status = text_of(process + "/status");
  // The filter comes after the word that lets the plugin start: it knows no sendmsg(2).
  for (int tries = 0; tries < 1000 && line_of(status, "Seccomp") != "2"; ++tries) {
    ::usleep(10'000);
    status = text_of(process + "/status");
  }
  const std::string id = std::to_string(plugin_uid());
  EXPECT_EQ(line_of(status, "Uid"), id + "\t" + id + "\t" + id + "\t" + id);
  EXPECT_EQ(line_of(status, "Groups"), " ");
  EXPECT_EQ(line_of(status, "NSpid").substr(line_of(status, "NSpid").rfind('\t') + 1), "1");
  for (const char* set : {"CapInh", "CapPrm", "CapEff", "CapAmb"})
    EXPECT_EQ(line_of(status, set), "0000000000000000") << set;
  EXPECT_EQ(line_of(status, "NoNewPrivs"), "1");
  EXPECT_EQ(line_of(status, "Seccomp"), "2");
  EXPECT_EQ(line_of(status, "SigCgt"), "0000000000000000");
  struct stat files {
  }, plugins{};
  ASSERT_EQ(::stat((process + "/environ").c_str(), &files), 0);
  ASSERT_EQ(::stat(("/proc/" + host.wait_for("plugin") + "/environ").c_str(), &plugins), 0);
  EXPECT_EQ(files.st_uid, 0U) << "proc(5): the files of an undumpable process are root's";
  EXPECT_EQ(plugins.st_uid, plugin_uid()) << "the control: those of the plugin are not";
}

TEST_P(InitFromOutside, ThePluginAndWhatItStartsAreNeverRootOnTheHost) {
  Host host(GetParam(), {.argv = {"wait", std::to_string(SIGTERM), "0"}});
  ASSERT_TRUE(host.wait_for_plugin("ready"));
  const std::string status = text_of("/proc/" + host.wait_for("plugin") + "/status"), id = std::to_string(plugin_uid());
  EXPECT_EQ(line_of(status, "Uid"), id + "\t" + id + "\t" + id + "\t" + id);
  EXPECT_EQ(line_of(status, "Gid"), id + "\t" + id + "\t" + id + "\t" + id);
  EXPECT_EQ(line_of(status, "Groups"), " ");
}

TEST_P(InitFromOutside, LooksAtTheViewNotAtTheHostsTreeAndSharesNoNamespaceWithTheHost) {
  Host host(GetParam(), {.argv = {"wait", std::to_string(SIGTERM), "0"}});
  ASSERT_TRUE(host.wait_for_plugin("ready"));
  for (const char* kind : {"user", "pid", "mnt", "net", "ipc", "uts", "cgroup"}) {
    const auto of = [&](const std::string& pid) {
      return std::filesystem::read_symlink("/proc/" + pid + "/ns/" + kind).string();
    };
    EXPECT_NE(of(host.wait_for("plugin")), of("self")) << kind;
    EXPECT_EQ(of(host.wait_for("plugin")), of(host.wait_for("init"))) << kind;
  }
}

// ---- the end of the supervisor

// Everybody who would lose its parent becomes a child of this process, so that nobody can hide.
class SupervisorsEnd : public Init {
 protected:
  void SetUp() override {
    Init::SetUp();
    ASSERT_EQ(::prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
  }
  void TearDown() override { (void)::prctl(PR_SET_CHILD_SUBREAPER, 0); }

  // How many processes are still there after a while.
  static int survivors() {
    for (int tries = 0; tries < 250; ++tries) {
      const pid_t reaped = ::waitpid(-1, nullptr, WNOHANG);
      if (reaped < 0 && errno == ECHILD) return 0;
      if (reaped == 0) ::usleep(20'000);
    }
    return 1;
  }
};
INSTANTIATE_TEST_SUITE_P(, SupervisorsEnd, test::either_starter(), test::name_of);

TEST_P(SupervisorsEnd, ByKillEndsTheWholeJail) {
  for (const auto& [argv, word] :
       {std::pair<std::vector<std::string>, const char*>{{"ignore", std::to_string(SIGTERM)}, "ready"},
        {{"forks", "5", "1"}, "forks 5"}}) {
    Host host(GetParam(), {.argv = argv});
    ASSERT_TRUE(host.wait_for_plugin(word));
    ASSERT_EQ(::kill(host.pid(), SIGKILL), 0);
    EXPECT_TRUE(host.plugin_ends()) << "somebody still holds the plugin's descriptor";
  }
  EXPECT_EQ(survivors(), 0);
}

TEST_P(SupervisorsEnd, AtAnyMomentOfTheConstructionLeavesNobody) {
  for (int moment = 0; moment < 40; ++moment) {
    Host host(GetParam(), {.argv = {"ignore", std::to_string(SIGTERM)}});
    ::usleep(static_cast<useconds_t>(moment) * 500);
    ASSERT_EQ(::kill(host.pid(), SIGKILL), 0);
    ASSERT_TRUE(host.plugin_ends()) << "killed after " << moment * 500 << " us";
  }
  EXPECT_EQ(survivors(), 0);
}

// Pid 1 itself may be killed on the host: by an operator, or for want of memory.
TEST_P(SupervisorsEnd, PidOneKilledFromOutsideEndsTheRun) {
  Host host(GetParam(), {.argv = {"ignore", std::to_string(SIGTERM)}});
  ASSERT_TRUE(host.wait_for_plugin("ready"));
  ASSERT_EQ(::kill(std::stoi(host.wait_for("init")), SIGKILL), 0);
  const Told told = host.wait();
  EXPECT_EQ(told["exit"], "137");
  EXPECT_EQ(told["outcome"], "killed");
}

}  // namespace
}  // namespace jail::run
