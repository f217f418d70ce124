// The terminal of whoever starts the jail (SECURITY D1; CVE-2017-5226, CVE-2023-28100). The test is both the operator
// who types and the shell that would read what was typed: it owns the pseudoterminal, the jail gets its other side.
#include <gtest/gtest.h>

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "scene.h"

namespace jail::test {
namespace {

struct Terminal {
  int master = -1, slave = -1;
  Terminal() {
    if (::openpty(&master, &slave, nullptr, nullptr, nullptr) != 0) throw std::runtime_error("openpty");
    for (const int fd : {master, slave}) ::fcntl(fd, F_SETFD, FD_CLOEXEC);
  }
  ~Terminal() {
    ::close(master);
    ::close(slave);
  }
  void type(const std::string& text) const {
    if (::write(master, text.data(), text.size()) < 0) throw std::runtime_error("cannot type");
  }
  // What the next reader of the terminal, the operator's shell, would get.
  std::string next_input() const {
    ::fcntl(slave, F_SETFL, O_NONBLOCK);
    char bytes[256];
    const ssize_t length = ::read(slave, bytes, sizeof bytes);
    return length > 0 ? std::string(bytes, static_cast<std::size_t>(length)) : "";
  }
  bool echoes() const {
    termios settings{};
    return ::tcgetattr(slave, &settings) == 0 && (settings.c_lflag & ECHO) != 0;
  }
};

// (launcher, in the jail or outside): the control is the same test without a jail.
class OnTerminal : public testing::TestWithParam<std::tuple<Launcher, bool>> {
 protected:
  void SetUp() override {
    if (launcher() == Launcher::Root && !is_root()) GTEST_SKIP() << "only root launches as root";
  }
  Launcher launcher() const { return std::get<0>(GetParam()); }
  bool jailed() const { return std::get<1>(GetParam()); }

  // The attack with the terminal as `streams`, as its launcher's controlling terminal.
  Launch on(const Terminal& terminal, const std::vector<int>& streams, const std::vector<std::string>& words) {
    Launch launch = jailed() ? scene_.in_jail(usual_grants(), words) : scene_.outside(words);
    if (is_root() && ::fchown(terminal.slave, scene_.identity().uid, scene_.identity().gid) != 0) std::abort();
    launch.session = true;
    launch.prepare = [&terminal, streams] {
      ::ioctl(terminal.slave, TIOCSCTTY, 0);
      for (const int stream : streams) ::dup2(terminal.slave, stream);
    };
    return launch;
  }

  Scene scene_{std::get<0>(GetParam())};
};

// Typing into the shell: whatever a plugin's own terminal swallows, the operator's stays empty.
TEST_P(OnTerminal, TypesNothingIntoTheShell) {
  for (const std::vector<int>& streams : std::vector<std::vector<int>>{{0, 2}, {2}, {0}}) {
    const Terminal terminal;
    const Outcome outcome = run(on(terminal, streams, {"fake-input", std::to_string(streams.back()), "reboot\n"}));
    EXPECT_FALSE(outcome.timed_out);
    const bool typed = terminal.next_input().find("reboot") != std::string::npos;
    // dev.tty.legacy_tiocsti=0 refuses it outside too; then the control shows nothing.
    const bool refused_outside = !jailed() && verdict_of(outcome).kind != Verdict::Kind::Allowed;
    EXPECT_EQ(typed, !jailed() && !refused_outside) << describe(outcome);
  }
}

TEST_P(OnTerminal, ReachesNoPaste) {
  const Terminal terminal;
  const Outcome outcome = run(on(terminal, {0, 2}, {"paste", "0"}));
  EXPECT_EQ(verdict_of(outcome).kind, jailed() ? Verdict::Kind::Denied : Verdict::Kind::Allowed) << describe(outcome);
}

// Standard error alone is the terminal: what the operator types, a password perhaps, is not for the plugin.
TEST_P(OnTerminal, ReadsNothingThroughStderr) {
  const Terminal terminal;
  Started started(on(terminal, {2}, {"read-terminal", "2"}));
  ::usleep(100000);
  terminal.type("password\n");
  const Outcome outcome = started.wait();
  const bool read = verdict_of(outcome).detail.find("password") != std::string::npos;
  EXPECT_EQ(read, !jailed()) << describe(outcome);
}

TEST_P(OnTerminal, LeavesTheSettingsAlone) {
  const Terminal terminal;
  ASSERT_TRUE(terminal.echoes());
  const Outcome outcome = run(on(terminal, {0, 2}, {"terminal-settings", "0"}));
  EXPECT_EQ(terminal.echoes(), jailed()) << describe(outcome);
}

TEST_P(OnTerminal, TakesNoTerminalAway) {
  const Terminal terminal;
  const Outcome outcome = run(on(terminal, {0, 2}, {"kill-group", "0"}));
  EXPECT_FALSE(outcome.timed_out);
  EXPECT_NE(verdict_of(outcome).kind, Verdict::Kind::None) << describe(outcome);
}

std::string name_of(const testing::TestParamInfo<std::tuple<Launcher, bool>>& info) {
  return std::string(std::get<0>(info.param) == Launcher::Root ? "root" : "user") +
         (std::get<1>(info.param) ? "_jailed" : "_control");
}

INSTANTIATE_TEST_SUITE_P(Escape, OnTerminal,
                         testing::Combine(testing::Values(Launcher::Root, Launcher::User), testing::Bool()), name_of);

}  // namespace
}  // namespace jail::test
