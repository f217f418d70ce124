// The supervisor: what it makes of every end, its wall clock, whom it watches and what it passes on.
#include "run/supervise.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include <cstdlib>
#include <memory>
#include <thread>

#include "host.h"

namespace jail::run {
namespace {

using test::Host;
using test::run_plugin;
using test::Told;
using test::Wish;
using Clock = std::chrono::steady_clock;

long ms_since(Clock::time_point start) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - start).count();
}

class Supervise : public test::ForEitherStarter {};
INSTANTIATE_TEST_SUITE_P(, Supervise, test::either_starter(), test::name_of);

// ---- how a plugin ends

struct End {
  int signal;
  const char* outcome;
};

TEST_P(Supervise, ASignalIs128AndItsNumber) {
  for (const End& end : {End{SIGTERM, "signaled"},
                         {SIGSEGV, "signaled"},
                         {SIGABRT, "signaled"},
                         {SIGPIPE, "signaled"},
                         {SIGKILL, "killed"},
                         {SIGSYS, "seccomp"},
                         {SIGXCPU, "timeout"}}) {
    const Told told = run_plugin(GetParam(), {.argv = {"signal", std::to_string(end.signal)}});
    EXPECT_EQ(told["exit"], std::to_string(128 + end.signal));
    EXPECT_EQ(told["outcome"], end.outcome) << end.signal;
  }
}

TEST_P(Supervise, ProcessorTimeUsedUpIs152AndATimeout) {
  Wish wish{.argv = {"spin", "0"}};
  wish.profile.limits.cpu_time_ms.value = 1000;
  const Told told = run_plugin(GetParam(), wish);
  EXPECT_EQ(told["exit"], "152");
  EXPECT_EQ(told["outcome"], "timeout");
  EXPECT_NE(told["reason"].find("limits.cpu_time"), std::string::npos) << told["reason"];
}

// ---- the wall clock

Wish timed(std::vector<std::string> argv, std::uint64_t time_ms, std::uint64_t grace_ms) {
  Wish wish{.argv = std::move(argv)};
  wish.profile.limits.time_ms.value = time_ms;
  wish.profile.limits.grace_ms.value = grace_ms;
  return wish;
}

TEST_P(Supervise, TimeThatIsUpIs124HoweverThePluginThenEnds) {
  for (const std::vector<std::string>& argv : {std::vector<std::string>{"wait", std::to_string(SIGTERM), "5"},
                                               {"ignore", std::to_string(SIGTERM)},
                                               {"ignore", std::to_string(SIGUSR1)}}) {
    const Told told = run_plugin(GetParam(), timed(argv, 150, 150));
    EXPECT_EQ(told["exit"], "124") << argv[0];
    EXPECT_EQ(told["outcome"], "timeout") << argv[0];
    EXPECT_NE(told["reason"].find("limits.time"), std::string::npos) << told["reason"];
  }
}

TEST_P(Supervise, APluginHasItsGraceToPutThingsInOrder) {
  const Told told = run_plugin(GetParam(), timed({"wait", std::to_string(SIGTERM), "5"}, 150, 10'000));
  EXPECT_EQ(told.number("got"), SIGTERM);
}

TEST_P(Supervise, GraceEndsToo) {
  const auto start = Clock::now();
  EXPECT_EQ(run_plugin(GetParam(), timed({"ignore", std::to_string(SIGTERM)}, 300, 400))["exit"], "124");
  EXPECT_GE(ms_since(start), 700);
  EXPECT_LT(ms_since(start), 5000);
}

TEST_P(Supervise, WithoutGraceThePluginIsKilledAtOnce) {
  const Told told = run_plugin(GetParam(), timed({"wait", std::to_string(SIGTERM), "5"}, 150, 0));
  EXPECT_EQ(told["exit"], "124");
  EXPECT_EQ(told.number("got"), -999) << "it was asked";
}

TEST_P(Supervise, AStoppedPluginIsWokenToEnd) {
  const auto start = Clock::now();
  const Told told = run_plugin(GetParam(), timed({"stop"}, 150, 10'000));
  EXPECT_EQ(told["exit"], "124");
  EXPECT_LT(ms_since(start), 5000) << "it slept through its grace";
}

TEST_P(Supervise, ATimeThatIsUpBeforeThePluginRunsStillEndsTheRun) {
  for (int i = 0; i < 10; ++i) {
    const Told told = run_plugin(GetParam(), timed({"ignore", std::to_string(SIGTERM)}, 1, 0));
    EXPECT_EQ(told["exit"], "124") << told["threw"];
  }
}

TEST_P(Supervise, AQuickPluginKnowsNothingOfTheClock) {
  const Told told = run_plugin(GetParam(), timed({"exit", "3"}, 10'000, 10'000));
  EXPECT_EQ(told["exit"], "3");
  EXPECT_EQ(told["outcome"], "exited");
}

// ---- signals

TEST_P(Supervise, SignalsReachThePlugin) {
  for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2}) {
    Host host(GetParam(), {.argv = {"wait", std::to_string(number), "3"}});
    ASSERT_TRUE(host.wait_for_plugin("ready"));
    ASSERT_EQ(::kill(host.pid(), number), 0);
    const Told told = host.wait();
    EXPECT_EQ(told.number("got"), number);
    EXPECT_EQ(told["exit"], "3") << number;
  }
}

TEST_P(Supervise, ASignalThatEndsThePluginEndsTheRun) {
  Host host(GetParam(), {.argv = {"wait", std::to_string(SIGUSR1), "3"}});
  ASSERT_TRUE(host.wait_for_plugin("ready"));
  ASSERT_EQ(::kill(host.pid(), SIGTERM), 0);
  const Told told = host.wait();
  EXPECT_EQ(told["exit"], "143");
  EXPECT_EQ(told["outcome"], "signaled");
}

// It was sent while the plugin stood ready: it must neither be lost nor end the supervisor.
TEST_P(Supervise, ASignalBetweenReadyAndStartIsNotLost) {
  Wish wish{.argv = {"wait", std::to_string(SIGUSR1), "3"}};
  wish.before_plugin = [] { (void)::raise(SIGTERM); };
  const Told told = run_plugin(GetParam(), wish);
  EXPECT_EQ(told["exit"], "143") << told["threw"];
}

// ---- who is watched

TEST_P(Supervise, TheEndOfTheParentEndsTheRun) {
  const pid_t parent = ::fork();
  if (parent == 0)
    for (;;) ::pause();
  Wish wish{.argv = {"ignore", std::to_string(SIGTERM)}};
  wish.parent = parent;
  Host host(GetParam(), wish);
  ASSERT_TRUE(host.wait_for_plugin("ready"));
  ASSERT_EQ(::kill(parent, SIGKILL), 0);
  ASSERT_EQ(test::status_of(parent), 128 + SIGKILL);
  const Told told = host.wait();
  EXPECT_EQ(told["exit"], "137");
  EXPECT_EQ(told["outcome"], "killed");
  EXPECT_NE(told["reason"].find("started jail ended"), std::string::npos) << told["reason"];
}

// PDEATHSIG would fire here: it is bound to the thread that forked, and pools let their threads go.
TEST_P(Supervise, AThreadThatStartedTheRunMayEndWithoutIt) {
  Wish wish{.argv = {"wait", std::to_string(SIGUSR1), "3"}};
  std::unique_ptr<Host> host;
  std::thread([&] { host = std::make_unique<Host>(GetParam(), wish); }).join();
  ASSERT_TRUE(host->wait_for_plugin("ready"));
  ::usleep(100'000);
  ASSERT_EQ(::kill(host->pid(), SIGUSR1), 0);
  EXPECT_EQ(host->wait()["exit"], "3");
}

TEST_P(Supervise, AHostThatIgnoresItsChildrenStillLearnsTheStatus) {
  Wish wish{.argv = {"exit", "7"}};
  wish.before = [] { (void)::signal(SIGCHLD, SIG_IGN); };
  EXPECT_EQ(run_plugin(GetParam(), wish)["exit"], "7");
}

// A child that the host had before it started the run, and that ends during it.
TEST_P(Supervise, OtherChildrenOfTheHostDoNotDisturb) {
  Wish wish{.argv = {"wait", std::to_string(SIGUSR1), "3"}};
  wish.before = [] {
    for (int i = 0; i < 5; ++i)
      if (::fork() == 0) {
        ::usleep(100'000);
        ::_exit(9);
      }
  };
  Host host(GetParam(), wish);
  ASSERT_TRUE(host.wait_for_plugin("ready"));
  ::usleep(300'000);
  ASSERT_EQ(::kill(host.pid(), SIGUSR1), 0);
  EXPECT_EQ(host.wait()["exit"], "3");
}

// ---- as pid 1 of a container

// The rest of the host's life as pid 1 of a pid namespace, with a /proc of its own or the one of the namespace around
// it.
enum class Procfs { Own, Outer };
void become_container(Procfs procfs) {
  const uid_t uid = ::geteuid();
  const gid_t gid = ::getegid();
  check(::unshare(uid == 0 ? CLONE_NEWNS | CLONE_NEWPID : CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID), "unshare");
  if (uid != 0) confine::identity::write_own_maps(uid, gid);
  const pid_t container = check(::fork(), "fork");
  if (container != 0) ::_exit(test::status_of(container));
  check(::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr), "private");
  if (procfs == Procfs::Own) check(::mount("proc", "/proc", "proc", 0, nullptr), "proc");
}

// Makes a process that loses its parent: pid 1 has to reap it.
void make_orphan() {
  const pid_t parent = ::fork();
  if (parent == 0) {
    if (::fork() == 0) {
      ::usleep(100'000);
      ::_exit(0);
    }
    ::_exit(0);
  }
  (void)::waitpid(parent, nullptr, 0);
}

TEST_P(Supervise, AsPidOneOfAContainerItLearnsTheStatusAndReapsOrphans) {
  Wish wish{.argv = {"wait", std::to_string(SIGALRM), "3"}};
  wish.before = [] { become_container(Procfs::Own); };
  wish.before_plugin = make_orphan;
  wish.profile.limits.time_ms.value = 500;
  const Told told = run_plugin(GetParam(), wish);
  EXPECT_EQ(told["exit"], "124") << told["threw"] << told["failed"] << told["reason"];
  EXPECT_EQ(told["plugin"].size(), 1U) << "a small number, as pid 1 sees it: " << told["plugin"];
}

// `unshare --pid --fork` without --mount-proc: a number below /proc is some other process there.
TEST_P(Supervise, WithTheProcOfAnotherNamespaceNothingIsStarted) {
  Wish wish{.argv = {"exit", "7"}};
  wish.before = [] { become_container(Procfs::Outer); };
  const Told told = run_plugin(GetParam(), wish);
  EXPECT_EQ(told["failed"], "proc") << told["threw"] << told["exit"];
  EXPECT_NE(told["reason"].find("another pid namespace"), std::string::npos) << told["reason"];
}

// ---- again and again

TEST_P(Supervise, ManyRunsLeaveNothingOpenAndNobodyBehind) {
  int open_before = -1, runs = 0;
  Wish wish{.argv = {"exit", "0"}};
  wish.times = std::getenv("JAIL_VM") != nullptr ? 50 : 200;  // ten times slower there; what leaks does so every time
  wish.change = [&](Plan&) {
    const bool children = ::waitpid(-1, nullptr, WNOHANG) >= 0 || errno != ECHILD;
    const int open = static_cast<int>(std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {}));
    if (++runs > 1 && (children || open != open_before))
      throw SysError(children ? ECHILD : EMFILE, "run " + std::to_string(runs));
    open_before = open;
  };
  const Told told = run_plugin(GetParam(), wish);
  EXPECT_EQ(told["threw"], "");
  EXPECT_EQ(told["exit"], "0");
  EXPECT_EQ(told["status"], "0");
}

}  // namespace
}  // namespace jail::run
