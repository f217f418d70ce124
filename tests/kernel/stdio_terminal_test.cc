// The jail's terminal and the operator's: what a person at the keyboard sees, and what a plugin cannot do to the shell
// that is there before and after it. The test sits at the master of a pty as the terminal emulator does.
#include <gtest/gtest.h>
#include <sys/ioctl.h>

#include <cstring>
#include <thread>

#include "in_child.h"
#include "stdio_scene.h"

namespace jail::test {
namespace {

Standing on(const Pair& pty) { return {pty.slave.get(), pty.slave.get(), pty.slave.get()}; }

bool is_raw(const Pair& pty) {
  termios attributes{};
  return ::tcgetattr(pty.slave.get(), &attributes) == 0 && (attributes.c_lflag & (ICANON | ECHO | ISIG)) == 0;
}

bool becomes_raw(const Pair& pty) {
  for (int tries = 0; tries < 10000 && !is_raw(pty); ++tries) ::usleep(2000);
  return is_raw(pty);
}

std::string attributes_of(const Pair& pty) {
  termios attributes{};
  (void)::tcgetattr(pty.slave.get(), &attributes);
  return {reinterpret_cast<const char*>(&attributes), offsetof(termios, c_ispeed)};
}

// What a shell would read next: in its own mode, as a line editor has it.
std::string next_read(const Pair& pty) {
  termios attributes{};
  (void)::tcgetattr(pty.slave.get(), &attributes);
  ::cfmakeraw(&attributes);
  (void)::tcsetattr(pty.slave.get(), TCSANOW, &attributes);
  return read_for(pty.slave, milliseconds(150));
}

bool type(const Pair& pty, std::string_view text) { return write_all(pty.master.get(), text); }

testing::AssertionResult shows(const Pair& pty, std::string_view wanted) {
  const std::string shown = read_until(pty.master, wanted);
  if (shown.find(wanted) != std::string::npos) return testing::AssertionSuccess();
  return testing::AssertionFailure() << "the screen shows: " << shown;
}

TEST(StdioTerminal, WhatIsTypedIsEchoedOnceAndReadByThePlugin) {
  const Pair pty = open_pty();
  const std::string before = attributes_of(pty);
  Supervised supervised(on(pty), Relation::Leader,
                        [] { return sh("test -t 0 && test -t 2 && read line && echo got:$line"); });
  ASSERT_TRUE(becomes_raw(pty));
  ASSERT_TRUE(type(pty, "hello\r"));
  EXPECT_EQ(read_until(pty.master, "got:hello\r\n"), "hello\r\ngot:hello\r\n");
  EXPECT_EQ(supervised.wait(), 0);
  EXPECT_EQ(attributes_of(pty), before);
}

TEST(StdioTerminal, ItIsTheControllingTerminalAndNotTheOperators) {
  const Pair pty = open_pty();
  struct stat operators {};
  ASSERT_EQ(::fstat(pty.slave.get(), &operators), 0);
  Supervised supervised(on(pty), Relation::Leader, [operators] {
    const Fd mine(::open("/dev/tty", O_RDWR));
    struct stat zero {};
    (void)::fstat(0, &zero);
    return mine && ::tcgetpgrp(mine.get()) == ::getpid() && zero.st_rdev != operators.st_rdev ? 0 : 1;
  });
  EXPECT_EQ(supervised.wait(), 0);
}

TEST(StdioTerminal, AControlCEndsThePluginAndNotTheSupervisor) {
  const Pair pty = open_pty();
  Supervised supervised(on(pty), Relation::Leader,
                        [] { return sh("trap 'echo caught; exit 7' INT; echo ready; while :; do sleep 0.05; done"); });
  ASSERT_TRUE(shows(pty, "ready\r\n"));
  ASSERT_TRUE(type(pty, "\x03"));
  EXPECT_TRUE(shows(pty, "caught"));
  EXPECT_EQ(supervised.wait(), 7);
}

TEST(StdioTerminal, JobControlWorksInside) {
  const Pair pty = open_pty();
  Supervised supervised(on(pty), Relation::Leader, [] {
    ::setenv("PS1", "PROMPT ", 1);
    ::unsetenv("ENV");
    ::execl("/bin/sh", "sh", "-i", nullptr);
    return 127;
  });
  EXPECT_TRUE(shows(pty, "PROMPT "));
  ASSERT_TRUE(type(pty, "sh -c 'echo star\"\"ted; exec cat'\r"));
  EXPECT_TRUE(shows(pty, "started"));
  ASSERT_TRUE(type(pty, "\x1a"));
  const std::string stopped = read_until(pty.master, "PROMPT ");
  EXPECT_NE(stopped.find("Stopped"), std::string::npos) << stopped;
  ASSERT_TRUE(type(pty, "fg\r"));
  EXPECT_TRUE(shows(pty, "exec cat\"\r\n"));  // the shell names the job it resumes
  ASSERT_TRUE(type(pty, "line\r"));
  EXPECT_TRUE(shows(pty, "line\r\nline\r\n"));
  ASSERT_TRUE(type(pty, "\x03"));
  EXPECT_TRUE(shows(pty, "PROMPT "));
  ASSERT_TRUE(type(pty, "exit 3\r"));
  EXPECT_EQ(supervised.wait(), 3);
}

TEST(StdioTerminal, TheWindowSizeIsCopiedAndItsChangeIsSignalled) {
  const Pair pty = open_pty();
  Supervised supervised(on(pty), Relation::Leader, [] {
    return sh("stty size; trap 'stty size; exit 0' WINCH; echo ready; while :; do sleep 0.05; done");
  });
  EXPECT_TRUE(shows(pty, "ready"));
  const winsize larger{.ws_row = 50, .ws_col = 132, .ws_xpixel = 0, .ws_ypixel = 0};
  ASSERT_EQ(::ioctl(pty.master.get(), TIOCSWINSZ, &larger), 0);
  EXPECT_TRUE(shows(pty, "50 132"));
  EXPECT_EQ(supervised.wait(), 0);
}

TEST(StdioTerminal, TheTerminalIsRestoredWhenTheSupervisorEndsByAnException) {
  const Pair pty = open_pty();
  const std::string before = attributes_of(pty);
  Supervised supervised(on(pty), Relation::Leader, [] { return sh("sleep 20"); });
  ASSERT_TRUE(becomes_raw(pty));
  ASSERT_EQ(::kill(supervised.pid(), SIGTERM), 0);
  EXPECT_EQ(supervised.wait(), 98);
  EXPECT_EQ(attributes_of(pty), before);
}

TEST(StdioTerminal, AHangUpReachesThePlugin) {
  Pair pty = open_pty();
  const Pair told = open_pipe();
  Supervised supervised({pty.slave.get(), pty.slave.get(), told.slave.get()}, Relation::Leader,
                        [] { return sh("trap 'echo hup >&2; exit 4' HUP; echo ready; while :; do sleep 0.05; done"); });
  ASSERT_TRUE(shows(pty, "ready"));
  pty.master.reset();
  EXPECT_EQ(read_until(told.master, "hup\n"), "hup\n");
  EXPECT_EQ(supervised.wait(), 4);
}

TEST(StdioTerminal, APluginMayCloseItsTerminalAndOpenItAgain) {
  const Pair pty = open_pty();
  Supervised supervised(on(pty), Relation::Leader, [] {
    return sh("echo first; exec <&- >&- 2>&-; sleep 0.2; echo second >/dev/tty; read line </dev/tty; test $line = x");
  });
  EXPECT_TRUE(shows(pty, "second"));
  ASSERT_TRUE(type(pty, "x\r"));
  EXPECT_EQ(supervised.wait(), 0);
}

TEST(StdioTerminal, StandardErrorAloneHasTheSizeAndItsLineFeedsOnce) {
  const Pair pty = open_pty();
  Supervised supervised({-1, -1, pty.slave.get()}, Relation::Leader,
                        [] { return sh("test -t 2 && stty size <&2 >&2"); });
  EXPECT_EQ(read_until(pty.master, "\n"), "24 80\r\n");
  EXPECT_EQ(supervised.wait(), 0);
}

TEST(StdioTerminal, NoInheritedDescriptionBecomesNonBlocking) {
  const Pair pty = open_pty();
  Supervised supervised(on(pty), Relation::Leader, [] { return sh("echo done"); });
  EXPECT_EQ(supervised.wait(), 0);
  EXPECT_EQ(::fcntl(pty.slave.get(), F_GETFL) & O_NONBLOCK, 0);
}

// SECURITY D1: the operator's password prompt, and a plugin whose standard error is that terminal.
int read_password() {
  (void)::alarm(1);
  char line[64] = {};
  return ::read(2, line, sizeof line) > 0 && std::strstr(line, "hunter2") != nullptr ? 1 : 0;
}

TEST(StdioAttack, APasswordIsNotReadThroughStandardError) {
  const Pair pty = open_pty();
  Supervised jailed({-1, -1, pty.slave.get()}, Relation::Leader, read_password);
  ::usleep(200'000);
  ASSERT_TRUE(type(pty, "hunter2\n"));
  EXPECT_EQ(jailed.wait(), 128 + SIGALRM);
  EXPECT_EQ(read_until(pty.slave, "\n"), "hunter2\n");

  ASSERT_TRUE(type(pty, "hunter2\n"));
  EXPECT_EQ(in_child([&] { return ::setsid() > 0 && ::dup2(pty.slave.get(), 2) == 2 && read_password() == 1; }), 0)
      << "control";
}

// A service whose standard input is the terminal that somebody else's shell runs on.
TEST(StdioAttack, ATerminalOfAnotherSessionIsNeitherReadNorSet) {
  const Pair pty = open_pty();
  const std::string before = attributes_of(pty);
  const Pair gate = open_pipe();
  const pid_t shell = ::fork();
  if (shell == 0) {
    (void)::setsid();
    (void)::ioctl(pty.slave.get(), TIOCSCTTY, 0);
    (void)write_all(gate.slave.get(), "x");
    ::pause();
    ::_exit(0);
  }
  ASSERT_EQ(read_until(gate.master, "x"), "x");
  {
    Supervised jailed(on(pty), Relation::Stranger, [] { return sh("echo up; read line && echo stolen"); });
    EXPECT_TRUE(shows(pty, "up"));
    EXPECT_EQ(attributes_of(pty), before);
    ASSERT_TRUE(type(pty, "hunter2\n"));
    EXPECT_EQ(read_for(pty.master, milliseconds(400)).find("stolen"), std::string::npos);
    EXPECT_EQ(read_until(pty.slave, "\n"), "hunter2\n");
  }
  (void)::kill(shell, SIGKILL);
  (void)status_of(shell);
}

TEST(StdioTerminal, ATerminalOfNoSessionIsReadAsTheHostMeansIt) {
  const Pair pty = open_pty();
  Supervised supervised(on(pty), Relation::Stranger, [] { return sh("read line && echo got:$line"); });
  ASSERT_TRUE(becomes_raw(pty));
  ASSERT_TRUE(type(pty, "hello\r"));
  EXPECT_TRUE(shows(pty, "got:hello"));
  EXPECT_EQ(supervised.wait(), 0);
}

// CVE-2017-5226.
int push_into_terminals() {
  int pushed = 0;
  const Fd mine(::open("/dev/tty", O_RDWR));
  for (const int fd : {0, 1, 2, mine.get()})
    for (const char byte : {'i', 'd', '\n'})
      if (::ioctl(fd, TIOCSTI, &byte) == 0) ++pushed;
  return pushed > 0 ? 1 : 0;
}

TEST(StdioAttack, NothingIsPushedIntoTheOperatorsTerminal) {
  const Pair pty = open_pty();
  Supervised jailed(on(pty), Relation::Leader, push_into_terminals);
  (void)jailed.wait();
  EXPECT_EQ(next_read(pty), "");

  const Pair bare = open_pty();
  const int pushed = in_child([&] {
    (void)::setsid();
    (void)::ioctl(bare.slave.get(), TIOCSCTTY, 0);
    (void)::dup2(bare.slave.get(), 0);
    return push_into_terminals() == 1;
  });
  if (pushed != 0) GTEST_SKIP() << "no control: this kernel refuses TIOCSTI (dev.tty.legacy_tiocsti = 0)";
  EXPECT_NE(next_read(bare), "") << "control";
}

// SECURITY D2: the emulator answers late, and more than the terminal's queues hold.
std::string answers_left(const Pair& pty, const char* script, std::string_view answers) {
  Supervised supervised(on(pty), Relation::Leader, [script] { return sh(script); });
  std::thread emulator([&] {
    (void)read_until(pty.master, "\033[6n");
    ::usleep(20'000);
    (void)type(pty, answers);
  });
  EXPECT_EQ(supervised.wait(), 0);
  std::string left = next_read(pty);  // also lets an emulator go on that waits for room
  emulator.join();
  return left;
}

TEST(StdioAttack, TheTerminalsAnswersDoNotReachTheShell) {
  EXPECT_EQ(answers_left(open_pty(), "printf '\\033[6n'", "\033[24;80R"), "");
  std::string flood;
  for (int i = 0; i < 40'000; ++i) flood += "\033[24;80R";
  EXPECT_EQ(answers_left(open_pty(), "printf '\\033[6n'", flood), "");
  const Pair bare = open_pty();
  ASSERT_TRUE(type(bare, "\033[24;80R"));
  EXPECT_EQ(next_read(bare), "\033[24;80R") << "control";
}

TEST(StdioAttack, AnswersToAnOutputWithoutInputDoNotReachTheShell) {
  const Pair pty = open_pty();
  const Fd nothing(::open("/dev/null", O_RDONLY));
  Supervised supervised({nothing.get(), pty.slave.get(), pty.slave.get()}, Relation::Leader,
                        [] { return sh("printf '\\033[6n'"); });
  ASSERT_FALSE(read_until(pty.master, "\033[6n").empty());
  ASSERT_TRUE(type(pty, "\033[24;80R"));
  EXPECT_EQ(supervised.wait(), 0);
  EXPECT_EQ(next_read(pty), "");
}

TEST(StdioTerminal, InTheBackgroundNothingStopsAndNothingIsReadUntilItComesToTheForeground) {
  const Pair pty = open_pty();
  termios strict{};
  ASSERT_EQ(::tcgetattr(pty.slave.get(), &strict), 0);
  strict.c_lflag |= TOSTOP;
  ASSERT_EQ(::tcsetattr(pty.slave.get(), TCSANOW, &strict), 0);
  Supervised shell(on(pty), Relation::Background, [] { return sh("echo up; read line; echo got:$line"); });
  EXPECT_TRUE(shows(pty, "up"));
  EXPECT_FALSE(is_raw(pty));
  ASSERT_TRUE(type(pty, "for the shell\n"));
  EXPECT_EQ(read_for(pty.master, milliseconds(400)).find("got"), std::string::npos);
  EXPECT_EQ(read_until(pty.slave, "\n"), "for the shell\n");

  ASSERT_EQ(::kill(shell.pid(), SIGUSR1), 0);
  ASSERT_TRUE(becomes_raw(pty));
  ASSERT_TRUE(type(pty, "for the plugin\r"));
  EXPECT_TRUE(shows(pty, "got:for the plugin"));
  EXPECT_EQ(shell.wait(), 0);
}

TEST(StdioTerminal, AStoppedSupervisorTakesTheTerminalAgainWhenItGoesOn) {
  const Pair pty = open_pty();
  const std::string before = attributes_of(pty);
  termios cooked{};
  ASSERT_EQ(::tcgetattr(pty.slave.get(), &cooked), 0);
  Supervised supervised(on(pty), Relation::Leader, [] { return sh("read line; echo got:$line"); });
  ASSERT_TRUE(becomes_raw(pty));
  ASSERT_EQ(::kill(supervised.pid(), SIGSTOP), 0);
  ASSERT_EQ(::waitpid(supervised.pid(), nullptr, WUNTRACED), supervised.pid());
  ASSERT_EQ(::tcsetattr(pty.slave.get(), TCSANOW, &cooked), 0);
  ASSERT_EQ(::kill(supervised.pid(), SIGCONT), 0);
  ASSERT_TRUE(becomes_raw(pty));
  ASSERT_TRUE(type(pty, "on\r"));
  EXPECT_TRUE(shows(pty, "got:on"));
  EXPECT_EQ(supervised.wait(), 0);
  EXPECT_EQ(attributes_of(pty), before);
}

// `jail run ... | less`: the pager reads its keys from the same terminal.
TEST(StdioTerminal, APagerBehindThePluginGetsItsKeys) {
  const Pair pty = open_pty();
  Pair out = open_pipe();
  Supervised supervised({pty.slave.get(), out.slave.get(), pty.slave.get()}, Relation::Leader,
                        [] { return sh("read key && echo stolen"); });
  termios pagers{};
  ASSERT_EQ(::tcgetattr(pty.slave.get(), &pagers), 0);
  pagers.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
  ASSERT_EQ(::tcsetattr(pty.slave.get(), TCSANOW, &pagers), 0);
  const std::string set = attributes_of(pty);
  for (int key = 0; key < 5; ++key) {
    ::usleep(400'000);
    ASSERT_TRUE(type(pty, "q"));
    EXPECT_EQ(read_until(pty.slave, "q"), "q");
  }
  EXPECT_EQ(attributes_of(pty), set);
}

// `jail run ... | tee log`, and `| vim -`, which takes the terminal when it has read all.
TEST(StdioTerminal, BehindAPipeItIsReadAfterAWhileAndRestoredBeforeTheReaderSeesTheEnd) {
  const Pair pty = open_pty();
  const std::string before = attributes_of(pty);
  Pair out = open_pipe();
  Supervised supervised({pty.slave.get(), out.slave.get(), pty.slave.get()}, Relation::Leader,
                        [] { return sh("read line; echo got:$line"); });
  out.slave.reset();
  ASSERT_TRUE(type(pty, "early\n"));
  EXPECT_EQ(read_for(out.master, milliseconds(5000)), "got:early\n");
  EXPECT_EQ(attributes_of(pty), before);
  EXPECT_EQ(supervised.wait(), 0);
}

// SECURITY B5.
void expect_waiting_plugin_and_live_supervisor(Manners manners) {
  const Pair pty = open_pty();
  const Pair count = open_pipe();
  const Plugin flood = [] {
    const std::string block(4096, 'x');
    for (;;)
      if (!write_all(1, block) || !write_all(2, "x")) return 1;
  };
  Supervised supervised({pty.slave.get(), pty.slave.get(), count.slave.get()}, Relation::Leader, flood, manners);
  const std::size_t blocks = read_for(count.master, milliseconds(700)).size();
  EXPECT_GT(blocks, 4U);
  EXPECT_LT(blocks, 256U);  // 1 MiB: two terminals' queues and the buffer are far less
  EXPECT_EQ(read_for(count.master, milliseconds(200)), "");
  EXPECT_LT(supervised.observed().slowest_handle_us, 1'000'000);
  ASSERT_EQ(::kill(supervised.pid(), SIGTERM), 0);
  EXPECT_EQ(supervised.wait(milliseconds(2000)), 98);
}

TEST(StdioBackPressure, AnUnreadTerminalStopsThePluginAndNotTheSupervisor) {
  expect_waiting_plugin_and_live_supervisor({});
}

// As after `su`: the terminal cannot be opened again, and the description that was inherited waits.
TEST(StdioBackPressure, AnUnreadTerminalOfAnotherUserStopsThePluginAndNotTheSupervisor) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to become another user";
  expect_waiting_plugin_and_live_supervisor({.user = kOrdinaryUser});
}

TEST(StdioTerminal, OutputThatComesAfterTheEndIsStillAsThePluginWroteIt) {
  const Pair pty = open_pty();
  Supervised supervised(on(pty), Relation::Leader, [] { return sh("stty -opost; yes '' | head -c 80000"); },
                        {.linger = milliseconds(5000)});
  ::usleep(600'000);
  EXPECT_EQ(read_until(pty.master, "never", milliseconds(1000)), std::string(80'000, '\n'));
  EXPECT_EQ(supervised.wait(), 0);
}

TEST(StdioTransfer, TenMegabytesThroughTerminalsInRawMode) {
  const Pair pty = open_pty();
  const std::string bytes = noise(10 << 20);
  Supervised supervised(on(pty), Relation::Leader,
                        [] { return sh("stty raw -echo; printf R; exec head -c 10485760"); });
  ASSERT_EQ(read_until(pty.master, "R"), "R");
  std::thread writer([&] { EXPECT_TRUE(write_all(pty.master.get(), bytes)); });
  std::string got;
  char block[65536];
  while (got.size() < bytes.size() && wait_readable(pty.master.get(), milliseconds(5000))) {
    const ssize_t size = ::read(pty.master.get(), block, sizeof block);
    if (size <= 0) break;
    got.append(block, static_cast<std::size_t>(size));
  }
  writer.join();
  EXPECT_TRUE(got == bytes) << got.size();
  EXPECT_EQ(supervised.wait(), 0);
}

}  // namespace
}  // namespace jail::test
