// Everything in the jail dies with the plugin, with the supervisor and with whoever started it (SECURITY A4, D4;
// ATTACKS, Supervisor and lifecycle). The test adopts orphans, so that a survivor is its own child and is counted.
#include <gtest/gtest.h>

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <memory>
#include <thread>

#include "scene.h"

namespace jail::test {
namespace {

class Lifecycle : public testing::TestWithParam<Launcher> {
 protected:
  void SetUp() override {
    if (GetParam() == Launcher::Root && !is_root()) GTEST_SKIP() << "only root launches as root";
    adopt_orphans();
  }

  Launch holding(const Scene& scene, const std::string& attack = "hold") const {
    return scene.in_jail(usual_grants(), {attack, "{write}/ready"});
  }
  static bool is_ready(const Scene& scene) {
    return eventually(20, [&] { return std::filesystem::exists(scene.at("{write}/ready")); });
  }
};

constexpr int kPatience = 5;  // seconds; TCG machines are slow

// ---- the plugin ends

TEST_P(Lifecycle, DaemonDiesWithThePlugin) {
  Scene scene(GetParam());
  const Outcome outcome = run(scene.in_jail(usual_grants(), {"survive", "{write}/ready"}));
  EXPECT_EQ(outcome.code(), 0) << describe(outcome);
  EXPECT_EQ(outcome.survivors, 0);
}

// The control: outside, the same daemon lives on.
TEST_P(Lifecycle, DaemonLivesOutside) {
  Scene scene(GetParam());
  Started started(scene.outside({"survive", "{write}/ready"}));
  EXPECT_EQ(started.wait().code(), 0);
  EXPECT_EQ(reap_survivors(0.3), 1);
}

TEST_P(Lifecycle, ManyDaemonsDie) {
  Scene scene(GetParam());
  const Outcome outcome = run(scene.in_jail(usual_grants(), {"fork-chain", "40"}));
  EXPECT_EQ(verdict_of(outcome).kind, Verdict::Kind::Allowed) << describe(outcome);
  EXPECT_EQ(outcome.survivors, 0);
}

// ---- the supervisor is killed

TEST_P(Lifecycle, SupervisorKilledWhileThePluginRuns) {
  for (const std::string attack : {"hold", "hold-ignoring"}) {
    Scene scene(GetParam());
    Started started(holding(scene, attack));
    ASSERT_TRUE(is_ready(scene));
    ::kill(started.pid(), SIGKILL);
    EXPECT_EQ(started.wait().code(), 128 + SIGKILL);
    EXPECT_EQ(reap_survivors(kPatience), 0) << attack;
  }
}

TEST_P(Lifecycle, SupervisorKilledBesideADaemon) {
  Scene scene(GetParam());
  Started started(scene.in_jail(usual_grants(), {"survive", "{write}/ready", "stay"}));
  ASSERT_TRUE(is_ready(scene));
  ::kill(started.pid(), SIGKILL);
  started.wait();
  EXPECT_EQ(reap_survivors(kPatience), 0);
}

// At every stage of the start: the moment is moved through it in small steps.
TEST_P(Lifecycle, SupervisorKilledAtAnyMoment) {
  for (int step = 0; step < 60; ++step) {
    Scene scene(GetParam());
    Started started(holding(scene, "hold-ignoring"));
    ::usleep(static_cast<useconds_t>(step) * 700);
    ::kill(started.pid(), SIGKILL);
    started.wait();
    ASSERT_EQ(reap_survivors(kPatience), 0) << "killed " << step * 700 << " us after the start";
  }
}

TEST_P(Lifecycle, PidOneKilledFromOutside) {
  Scene scene(GetParam());
  Started started(holding(scene, "hold-ignoring"));
  ASSERT_TRUE(is_ready(scene));
  // The processes below the supervisor, nearest first: pid 1 of the jail is one of them.
  const std::string tree = "/proc/" + std::to_string(started.pid()) + "/task/" + std::to_string(started.pid());
  std::ifstream children(tree + "/children");
  pid_t below = 0;
  ASSERT_TRUE(children >> below);
  ::kill(below, SIGKILL);
  const Outcome outcome = started.wait();
  EXPECT_FALSE(outcome.timed_out);
  EXPECT_NE(outcome.code(), 0) << describe(outcome);
  EXPECT_EQ(reap_survivors(kPatience), 0);
}

// ---- whoever started it goes away

// A process between us and the jail.
pid_t start_through_caller(const Launch& launch) {
  int report[2];
  if (::pipe2(report, O_CLOEXEC) != 0) throw std::runtime_error("pipe");
  const pid_t caller = ::fork();
  if (caller == 0) {
    Started started(launch);
    const pid_t pid = started.pid();
    if (::write(report[1], &pid, sizeof pid) < 0) ::_exit(1);
    ::pause();
  }
  pid_t jail = -1;
  if (::read(report[0], &jail, sizeof jail) != sizeof jail) throw std::runtime_error("no jail was started");
  ::close(report[0]);
  ::close(report[1]);
  return caller;
}

TEST_P(Lifecycle, CallerIsKilled) {
  Scene scene(GetParam());
  const pid_t caller = start_through_caller(holding(scene, "hold-ignoring"));
  ASSERT_TRUE(is_ready(scene));
  ::kill(caller, SIGKILL);
  ::waitpid(caller, nullptr, 0);
  EXPECT_EQ(reap_survivors(kPatience), 0);
}

// PR_SET_PDEATHSIG fires when the *thread* that forked ends: a host with a thread pool would lose its plugins
// (DECISIONS 16).
TEST_P(Lifecycle, CallersThreadEnds) {
  Scene scene(GetParam());
  std::unique_ptr<Started> started;
  std::thread([&] { started = std::make_unique<Started>(holding(scene)); }).join();
  ASSERT_TRUE(is_ready(scene));
  ::usleep(300000);
  EXPECT_EQ(::kill(started->pid(), 0), 0);
  int status = 0;
  EXPECT_EQ(::waitpid(started->pid(), &status, WNOHANG), 0) << "the jail ended with the thread";
  started.reset();
  EXPECT_EQ(reap_survivors(kPatience), 0);
}

// ---- odd callers

TEST_P(Lifecycle, CallerIgnoresChildren) {
  Scene scene(GetParam());
  Launch launch = scene.in_jail(usual_grants(), {"exit", "7"});
  launch.prepare = [] { ::signal(SIGCHLD, SIG_IGN); };
  const Outcome outcome = run(launch);
  EXPECT_EQ(outcome.code(), 7) << describe(outcome);
  EXPECT_EQ(outcome.survivors, 0);
}

TEST_P(Lifecycle, CallerBlocksSignals) {
  Scene scene(GetParam());
  Launch launch = holding(scene);
  launch.prepare = [] {
    sigset_t everything;
    ::sigfillset(&everything);
    ::sigprocmask(SIG_BLOCK, &everything, nullptr);
  };
  Started started(launch);
  ASSERT_TRUE(is_ready(scene));
  ::kill(started.pid(), SIGTERM);
  const Outcome outcome = started.wait();
  EXPECT_FALSE(outcome.timed_out) << "SIGTERM is lost when the caller had it blocked";
  EXPECT_EQ(outcome.code(), 128 + SIGTERM) << describe(outcome);
}

// As an entry point of a container: jail is pid 1 of a pid namespace, which has no default actions for signals and
// gets every orphan.
TEST_P(Lifecycle, JailIsPidOne) {
  if (!is_root()) GTEST_SKIP() << "needs root for the namespace around it";
  Scene scene(GetParam());
  for (const int status : {0, 5}) {
    Launch launch = scene.in_jail(usual_grants(), {"exit", std::to_string(status)});
    launch.prepare = [] {
      if (::unshare(CLONE_NEWPID | CLONE_NEWNS) != 0) ::_exit(98);
      const pid_t child = ::fork();
      if (child == 0) {
        if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
            ::mount("proc", "/proc", "proc", 0, nullptr) != 0)
          ::_exit(98);
        return;
      }
      int result = 0;
      ::waitpid(child, &result, 0);
      ::_exit(WIFEXITED(result) ? WEXITSTATUS(result) : 128 + WTERMSIG(result));
    };
    const Outcome outcome = run(launch);
    EXPECT_EQ(outcome.code(), status) << describe(outcome);
  }
}

TEST_P(Lifecycle, ParentIsGoneBeforeTheStart) {
  Scene scene(GetParam());
  Launch launch = holding(scene, "hold-ignoring");
  launch.prepare = [] {
    if (::fork() != 0) ::_exit(0);
    ::usleep(50000);  // now a child of the subreaper, which is not who started it
  };
  Started started(launch);
  EXPECT_EQ(started.wait().code(), 0);
  const bool ran = eventually(3, [&] { return std::filesystem::exists(scene.at("{write}/ready")); });
  // Adopted before it looked: it may run under its new parent, or end. It must not stay half-built.
  const int left = reap_survivors(ran ? 0 : kPatience);
  EXPECT_TRUE(ran || left == 0) << left << " processes of a jail that never ran its plugin";
}

// ---- odd plugins

// CLONE_PARENT makes a child of pid 1, whose end must not be taken for the plugin's.
TEST_P(Lifecycle, SiblingIsNotThePlugin) {
  Scene scene(GetParam());
  const Outcome outcome = run(scene.in_jail(usual_grants(), {"sibling", "77", "5"}));
  EXPECT_EQ(outcome.code(), 5) << describe(outcome);
}

TEST_P(Lifecycle, StoppedPluginStillRunsOutOfTime) {
  Scene scene(GetParam());
  Profile profile = usual_grants();
  profile.more = "limits: {time: 1s}\n";
  for (const std::vector<std::string>& words : {std::vector<std::string>{"stop"}, {"stop", "{write}/ready", "all"}}) {
    const Outcome outcome = run(scene.in_jail(profile, words));
    EXPECT_EQ(outcome.code(), 124) << describe(outcome);
    EXPECT_EQ(outcome.survivors, 0);
  }
}

TEST_P(Lifecycle, StoppedPluginDiesWithTheSupervisor) {
  Scene scene(GetParam());
  Started started(holding(scene, "stop"));
  ASSERT_TRUE(is_ready(scene));
  ::kill(started.pid(), SIGKILL);
  started.wait();
  EXPECT_EQ(reap_survivors(kPatience), 0);
}

// ---- signals that people send

TEST_P(Lifecycle, SignalsAreForwarded) {
  for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2}) {
    Scene scene(GetParam());
    Started started(holding(scene, "wait-signal"));
    ASSERT_TRUE(is_ready(scene));
    ::kill(started.pid(), number);
    const Outcome outcome = started.wait();
    EXPECT_EQ(outcome.code(), number) << "signal " << number << "\n" << describe(outcome);
    EXPECT_EQ(reap_survivors(kPatience), 0);
  }
}

TEST_P(Lifecycle, FloodOfOutputArrives) {
  Scene scene(GetParam());
  const Outcome outcome = run(scene.in_jail(usual_grants(), {"flood", "1", "60"}));
  EXPECT_EQ(outcome.code(), 0) << outcome.error;
  EXPECT_EQ(outcome.out.size(), 60U * 65536);
}

TEST_P(Lifecycle, InputArrivesAndEnds) {
  Scene scene(GetParam());
  Launch launch = scene.in_jail(usual_grants(), {"cat"});
  launch.input = "some input\n";
  const Outcome outcome = run(launch);
  EXPECT_EQ(outcome.code(), 0) << describe(outcome);
  EXPECT_EQ(outcome.out, launch.input);
}

// A reader that goes away, as `head` does, must end the plugin and not the machine.
TEST_P(Lifecycle, ReaderGoesAway) {
  Scene scene(GetParam());
  Launch launch = scene.in_jail(usual_grants(), {"flood", "1", "100000"});
  launch.prepare = [] {
    int ends[2];
    if (::pipe(ends) != 0) ::_exit(99);
    ::dup2(ends[1], 1);
    ::close(ends[0]);
    ::close(ends[1]);
  };
  launch.seconds = 20;
  const Outcome outcome = run(launch);
  EXPECT_FALSE(outcome.timed_out);
  EXPECT_EQ(outcome.survivors, 0);
}

std::string launcher_name(const testing::TestParamInfo<Launcher>& info) {
  return info.param == Launcher::Root ? "root" : "user";
}

INSTANTIATE_TEST_SUITE_P(Escape, Lifecycle, testing::Values(Launcher::Root, Launcher::User), launcher_name);

}  // namespace
}  // namespace jail::test
