// Descriptors 0-2 that are no terminals: what the plugin gets, and that it cannot get at more. Attacks stand beside a
// control in which the same program has the host's descriptor itself and succeeds.
#include <dirent.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <thread>

#include "in_child.h"
#include "stdio_scene.h"

namespace jail::test {
namespace {

using run::Flow;
using run::Wire;

class TemporaryFile {
 public:
  explicit TemporaryFile(std::string_view text = {}) {
    const Fd file(check(::mkstemp(path_.data()), "mkstemp", path_));
    (void)write_all(file.get(), text);
  }
  ~TemporaryFile() { (void)::unlink(path_.c_str()); }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  [[nodiscard]] Fd open(int flags) const { return Fd(check(::open(path_.c_str(), flags | O_CLOEXEC), "open", path_)); }
  [[nodiscard]] std::string text() const { return read_for(open(O_RDONLY), milliseconds(1000)); }

 private:
  std::string path_ = ::testing::TempDir() + "stdio.XXXXXX";
};

// What a plan says of one descriptor as standard input: "wire seen" or the problem.
std::string plan_of(int fd, int number = 0, uid_t plugin = ::geteuid()) {
  return complaint_of_child([=] {
    (void)::dup2(fd, number);
    const run::StdioPlan plan = run::plan_stdio(plugin);
    if (!plan.problem.empty()) return "problem: " + plan.problem;
    constexpr const char* kWires[] = {"pass", "null", "pipe", "terminal"};
    const auto at = static_cast<std::size_t>(number);
    return kWires[static_cast<int>(plan.wires[at])] + std::string(plan.flows[at] == Flow::In ? " in " : " out ") +
           plan.seen[at];
  });
}

TEST(StdioPlan, TellsWhatPassesFromWhatDoesNot) {
  const TemporaryFile file;
  const Pair pipe = open_pipe();
  int sockets[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), 0);
  EXPECT_EQ(plan_of(file.open(O_RDONLY).get()), "pipe in file (read)");
  EXPECT_EQ(plan_of(file.open(O_WRONLY).get(), 1), "pipe out file (write)");
  EXPECT_EQ(plan_of(file.open(O_RDONLY).get(), 0, ::geteuid() + 1), "pass in file (read)");
  EXPECT_EQ(plan_of(file.open(O_WRONLY).get(), 1, ::geteuid() + 1), "pass out file (write)");
  EXPECT_EQ(plan_of(file.open(O_WRONLY | O_APPEND).get(), 2), "pipe out file (append)");
  EXPECT_EQ(plan_of(file.open(O_RDWR).get(), 2), "pipe out file (read, write)");
  EXPECT_EQ(plan_of(file.open(O_RDWR).get()), "pipe in file (read, write)");
  EXPECT_EQ(plan_of(pipe.master.get()), "pipe in pipe (read)");
  EXPECT_EQ(plan_of(pipe.slave.get(), 1), "pipe out pipe (write)");
  EXPECT_EQ(plan_of(sockets[0], 0), "pipe in socket");
  EXPECT_EQ(plan_of(sockets[0], 1), "pipe out socket");
  EXPECT_EQ(plan_of(Fd(::open("/dev/null", O_RDWR)).get(), 1), "pass out memory device (read, write)");
  const Pair pty = open_pty();
  EXPECT_EQ(plan_of(pty.slave.get()), "terminal in terminal");
  EXPECT_EQ(plan_of(pty.master.get()), "pipe in device (read, write)");
  for (const int fd : sockets) (void)::close(fd);
}

TEST(StdioPlan, RefusesWhatCannotBeStandardInput) {
  const Fd listener(::socket(AF_INET, SOCK_STREAM, 0));
  ASSERT_EQ(::listen(listener.get(), 1), 0);
  EXPECT_NE(plan_of(Fd(::open("/", O_RDONLY | O_DIRECTORY)).get()).find("problem: standard input is a folder"),
            std::string::npos);
  EXPECT_NE(plan_of(Fd(::open("/etc/passwd", O_PATH)).get(), 1).find("problem: standard output is a path"),
            std::string::npos);
  EXPECT_NE(plan_of(Fd(::eventfd(0, 0)).get(), 2).find("problem: standard error is a kernel object"),
            std::string::npos);
  EXPECT_NE(plan_of(listener.get()).find("problem: standard input is a listening socket"), std::string::npos);
}

TEST(StdioPlan, ClosedDescriptorsAreNullAndCanBeFilled) {
  EXPECT_EQ(complaint_of_child([]() -> std::string {
              (void)::close(0);
              if (run::plan_stdio(::geteuid()).wires[0] != Wire::Null) return "a closed descriptor is not Null";
              run::fill_closed_stdio();
              struct stat status {};
              return ::fstat(0, &status) == 0 && S_ISCHR(status.st_mode) ? "" : "not filled";
            }),
            "");
}

TEST(Stdio, ClosedDescriptorsAreDevNullInThePlugin) {
  Supervised supervised({-1, -1, -1}, Relation::Stranger, [] {
    struct stat null {};
    (void)::stat("/dev/null", &null);
    for (const int fd : {0, 1, 2}) {
      struct stat status {};
      if (::fstat(fd, &status) != 0 || status.st_rdev != null.st_rdev) return 1;
    }
    return ::read(0, &null, 1) == 0 && ::write(1, "x", 1) == 1 ? 0 : 2;
  });
  EXPECT_EQ(supervised.wait(), 0);
}

TEST(Stdio, ThePluginHasNothingButItsThreeDescriptors) {
  const Pair result = open_pipe();
  const TemporaryFile file;
  const Fd both = file.open(O_RDWR);
  Supervised supervised({result.master.get(), both.get(), result.slave.get()}, Relation::Stranger, [] {
    int count = 0;
    DIR* folder = ::opendir("/proc/self/fd");
    while (const dirent* entry = ::readdir(folder))
      if (entry->d_name[0] != '.' && std::atoi(entry->d_name) != ::dirfd(folder)) ++count;
    return count;
  });
  EXPECT_EQ(supervised.wait(), 3);
}

// SECURITY D1: the host's log as standard error.
int read_and_truncate_log() {
  char first = 0;
  const bool read = ::pread(2, &first, 1, 0) == 1 && first == 's';
  const bool truncated = ::ftruncate(2, 0) == 0;
  return (read ? 1 : 0) + (truncated ? 2 : 0);
}

TEST(StdioAttack, ALogOpenBothWaysIsNeitherReadNorTruncated) {
  const TemporaryFile log("secret of the host\n");
  const Fd both = log.open(O_RDWR);
  ASSERT_EQ(::lseek(both.get(), 0, SEEK_END), 19);
  Supervised jailed({-1, -1, both.get()}, Relation::Stranger, [] {
    const int got = read_and_truncate_log();
    (void)!::write(2, "plugin\n", 7);
    return got;
  });
  EXPECT_EQ(jailed.wait(), 0);
  EXPECT_EQ(log.text(), "secret of the host\nplugin\n");

  EXPECT_EQ(in_child([&] { return ::dup2(both.get(), 2) == 2 && read_and_truncate_log() == 3; }), 0) << "control";
  EXPECT_EQ(log.text(), "");
}

TEST(StdioAttack, ALogOpenForAppendingIsNotTruncated) {
  const TemporaryFile log("old\n");
  const Fd append = log.open(O_WRONLY | O_APPEND);
  Supervised jailed({-1, append.get(), append.get()}, Relation::Stranger, [] {
    const int got = ::ftruncate(1, 0) == 0 || ::ftruncate(2, 0) == 0 ? 1 : 0;
    (void)!::write(1, "new\n", 4);
    return got;
  });
  EXPECT_EQ(jailed.wait(), 0);
  EXPECT_EQ(log.text(), "old\nnew\n");

  EXPECT_EQ(in_child([&] { return ::ftruncate(append.get(), 0) == 0; }), 0) << "control";
  EXPECT_EQ(log.text(), "");
}

int write_into_own_input() {
  const Fd backwards(::open("/proc/self/fd/0", O_WRONLY | O_NONBLOCK));
  return backwards && write_all(backwards.get(), "echo injected\n") ? 1 : 0;
}

TEST(StdioAttack, NoCommandIsWrittenIntoTheScriptThatAShellReads) {
  const Pair script = open_pipe();
  ASSERT_TRUE(write_all(script.slave.get(), "echo next\n"));
  Supervised jailed({script.master.get(), -1, -1}, Relation::Stranger, write_into_own_input);
  (void)jailed.wait();
  EXPECT_EQ(read_for(script.master, milliseconds(200)), "echo next\n");

  ASSERT_TRUE(write_all(script.slave.get(), "echo next\n"));
  (void)in_child([&] { return ::dup2(script.master.get(), 0) == 0 && write_into_own_input() == 1; });
  EXPECT_EQ(read_for(script.master, milliseconds(200)), "echo next\necho injected\n") << "control";
}

int read_own_output() {
  const Fd backwards(::open("/proc/self/fd/2", O_RDONLY | O_NONBLOCK));
  char line[64];
  return backwards && ::read(backwards.get(), line, sizeof line) > 0 ? 1 : 0;
}

TEST(StdioAttack, WhatTheHostLogsToTheSamePipeIsNotRead) {
  const Pair log = open_pipe();
  ASSERT_TRUE(write_all(log.slave.get(), "host: token=1234\n"));
  Supervised jailed({-1, -1, log.slave.get()}, Relation::Stranger, read_own_output);
  EXPECT_EQ(jailed.wait(), 0);
  EXPECT_EQ(in_child([&] { return ::dup2(log.slave.get(), 2) == 2 && read_own_output() == 1; }), 0) << "control";
}

// What one program leaves of its input, the next one reads.
void expect_rest_stays(const Fd& source, std::string_view rest) {
  const Pair out = open_pipe();
  Supervised supervised({source.get(), out.slave.get(), -1}, Relation::Stranger, [] {
    char four[4];
    return ::read(0, four, 4) == 4 && ::write(1, four, 4) == 4 ? 0 : 1;
  });
  EXPECT_EQ(supervised.wait(), 0);
  EXPECT_EQ(read_until(out.master, "one\n"), "one\n");
  EXPECT_EQ(read_until(source, rest), rest);
}

TEST(StdioInput, WhatThePluginDoesNotReadStaysInAPipe) {
  const Pair pipe = open_pipe();
  ASSERT_TRUE(write_all(pipe.slave.get(), "one\ntwo\nthree\n"));
  expect_rest_stays(pipe.master, "two\nthree\n");
}

TEST(StdioInput, WhatThePluginDoesNotReadStaysInASocket) {
  int ends[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  const Fd ours(ends[0]);
  const Fd theirs(ends[1]);
  ASSERT_TRUE(write_all(ours.get(), "one\ntwo\nthree\n"));
  expect_rest_stays(theirs, "two\nthree\n");
}

TEST(StdioInput, WhatThePluginDoesNotReadStaysInAFile) {
  const TemporaryFile file("one\ntwo\nthree\n");
  const Fd both = file.open(O_RDWR);
  expect_rest_stays(both, "two\nthree\n");
  EXPECT_EQ(::lseek(both.get(), 0, SEEK_CUR), 14);
}

TEST(StdioInput, AnEndIsPassedOn) {
  Pair in = open_pipe();
  Supervised supervised({in.master.get(), -1, -1}, Relation::Stranger, [] { return sh("test \"$(cat)\" = all"); });
  ASSERT_TRUE(write_all(in.slave.get(), "all"));
  in.slave.reset();
  EXPECT_EQ(supervised.wait(), 0);
}

TEST(StdioInput, AWriterLearnsThatThePluginClosedItsInput) {
  Pair in = open_pipe();
  Supervised supervised({in.master.get(), -1, -1}, Relation::Stranger, [] { return sh("exec <&-; sleep 1"); });
  in.master.reset();
  pollfd writer{in.slave.get(), 0, 0};
  EXPECT_EQ(::poll(&writer, 1, 800), 1);
  EXPECT_NE(writer.revents & POLLERR, 0);
  EXPECT_EQ(supervised.wait(), 0);
}

TEST(StdioOutput, AReaderLearnsThatThePluginClosedItsOutput) {
  Pair out = open_pipe();
  Supervised supervised({-1, out.slave.get(), -1}, Relation::Stranger,
                        [] { return sh("echo done; exec >&-; sleep 1"); });
  out.slave.reset();
  const auto start = Clock::now();
  EXPECT_EQ(read_for(out.master, milliseconds(5000)), "done\n");
  EXPECT_LT(since(start), milliseconds(800));
  EXPECT_EQ(supervised.wait(), 0);
}

TEST(StdioOutput, ThePluginLearnsThatItsReaderIsGone) {
  Pair out = open_pipe();
  Supervised supervised({-1, out.slave.get(), -1}, Relation::Stranger, [] { return sh("while :; do echo y; done"); });
  out.slave.reset();
  EXPECT_EQ(read_until(out.master, "y\n").substr(0, 2), "y\n");
  out.master.reset();
  EXPECT_EQ(supervised.wait(), 128 + SIGPIPE);
}

TEST(StdioOutput, OneDescriptionOnTwoNumbersKeepsItsOrder) {
  const Pair out = open_pipe();
  Supervised supervised({-1, out.slave.get(), out.slave.get()}, Relation::Stranger,
                        [] { return sh("i=0; while [ $i -lt 200 ]; do echo o$i; echo e$i >&2; i=$((i+1)); done"); });
  std::string expected;
  for (int i = 0; i < 200; ++i) expected += "o" + std::to_string(i) + "\ne" + std::to_string(i) + "\n";
  EXPECT_EQ(read_until(out.master, "e199\n"), expected);
  EXPECT_EQ(supervised.wait(), 0);
}

TEST(StdioOutput, AFileIsWrittenWhereItStands) {
  const TemporaryFile file("before ......after");
  const Fd both = file.open(O_RDWR);
  ASSERT_EQ(::lseek(both.get(), 7, SEEK_SET), 7);
  Supervised supervised({-1, both.get(), -1}, Relation::Stranger, [] { return sh("printf plugin"); });
  EXPECT_EQ(supervised.wait(), 0);
  EXPECT_EQ(file.text(), "before pluginafter");
  EXPECT_EQ(::lseek(both.get(), 0, SEEK_CUR), 13);
}

void expect_round_trip(const Fd& in_write, const Fd& in_read, const Fd& out_read, const Fd& out_write,
                       Manners manners = {}) {
  const std::string bytes = noise(10 << 20);
  Supervised supervised(
      {in_read.get(), out_write.get(), -1}, Relation::Stranger, [] { return sh("exec cat"); }, manners);
  std::string got;
  std::thread reader([&] {
    char block[65536];
    while (got.size() < bytes.size() && wait_readable(out_read.get(), milliseconds(5000))) {
      const ssize_t size = ::read(out_read.get(), block, sizeof block);
      if (size <= 0) break;
      got.append(block, static_cast<std::size_t>(size));
    }
  });
  EXPECT_TRUE(write_all(in_write.get(), bytes));
  reader.join();
  EXPECT_EQ(got.size(), bytes.size());
  EXPECT_TRUE(got == bytes);
}

TEST(StdioTransfer, TenMegabytesThroughPipes) {
  const Pair in = open_pipe();
  const Pair out = open_pipe();
  expect_round_trip(in.slave, in.master, out.master, out.slave);
  EXPECT_EQ(::fcntl(in.master.get(), F_GETFL) & O_NONBLOCK, 0);
  EXPECT_EQ(::fcntl(out.slave.get(), F_GETFL) & O_NONBLOCK, 0);
}

TEST(StdioTransfer, TenMegabytesThroughOneSocket) {
  int ends[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  const Fd ours(ends[0]);
  const Fd theirs(ends[1]);
  expect_round_trip(ours, theirs, ours, theirs);
  EXPECT_EQ(::fcntl(theirs.get(), F_GETFL) & O_NONBLOCK, 0);
}

TEST(StdioTransfer, TenMegabytesThroughPipesOfAnotherUser) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to become another user";
  const Pair in = open_pipe();
  const Pair out = open_pipe();
  ASSERT_NE(in_child([&] {
              (void)!::setuid(kOrdinaryUser);
              return ::open(("/proc/self/fd/" + std::to_string(out.slave.get())).c_str(), O_WRONLY) >= 0;
            }),
            0)
      << "control: the pipe can be opened again, so this shows nothing";
  expect_round_trip(in.slave, in.master, out.master, out.slave, {.user = kOrdinaryUser});
}

// SECURITY B5: the loop goes on, and the plugin waits as it would on the reader itself.
TEST(StdioBackPressure, AnUnreadPipeStopsThePluginAndNotTheSupervisor) {
  const Pair out = open_pipe();
  const Pair count = open_pipe();
  Supervised supervised({-1, out.slave.get(), count.slave.get()}, Relation::Stranger, [] {
    const std::string block(4096, 'x');
    for (;;)
      if (!write_all(1, block) || !write_all(2, "x")) return 1;
  });
  const std::string blocks = read_for(count.master, milliseconds(700));
  // The reader's pipe, the buffer and the plugin's pipe: 64 KiB each.
  EXPECT_LE(blocks.size(), 3U * 16 + 1);
  EXPECT_GE(blocks.size(), 3U * 16 - 1);
  EXPECT_LT(supervised.observed().slowest_handle_us, 1'000'000);
  ASSERT_EQ(::kill(supervised.pid(), SIGTERM), 0);  // the loop hears a signal although nobody reads
  EXPECT_EQ(supervised.wait(milliseconds(1000)), 98);
}

TEST(StdioBackPressure, ASinkThatIsNotReadDelaysTheEndByABoundedTime) {
  const Pair out = open_pipe();
  Supervised supervised({-1, out.slave.get(), -1}, Relation::Stranger, [] { return sh("head -c 150000 /dev/zero"); });
  const auto start = Clock::now();
  EXPECT_EQ(supervised.wait(), 0);
  EXPECT_GE(since(start), milliseconds(190));
  EXPECT_LT(since(start), milliseconds(1500));
}

TEST(StdioBackPressure, ASlowReaderGetsAllThatWasWrittenBeforeTheEnd) {
  const Pair out = open_pipe();
  Supervised supervised({-1, out.slave.get(), -1}, Relation::Stranger, [] { return sh("head -c 150000 /dev/zero"); },
                        {.linger = milliseconds(5000)});
  std::thread reader([&] {
    ::usleep(600'000);
    EXPECT_EQ(read_until(out.master, "never", milliseconds(1000)).size(), 150'000U);
  });
  EXPECT_EQ(supervised.wait(), 0);
  reader.join();
}

}  // namespace
}  // namespace jail::test
