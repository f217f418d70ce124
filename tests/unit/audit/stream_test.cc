// Logs on what may be full for a while or gone: pipes, sockets, closed descriptors.
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <chrono>

#include "event/encode.h"
#include "scene.h"

namespace jail::audit {
namespace {

using namespace std::chrono_literals;

struct Ends {
  Fd reader;
  Fd writer;
};

Ends make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) std::abort();
  return {Fd(ends[0]), Fd(ends[1])};
}

Ends make_sockets() {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) std::abort();
  return {Fd(ends[0]), Fd(ends[1])};
}

// All that is there now.
std::string drain(const Fd& reader) {
  std::string all;
  std::array<char, 4096> block;
  pollfd wanted{.fd = reader.get(), .events = POLLIN, .revents = 0};
  while (::poll(&wanted, 1, 0) > 0 && (wanted.revents & POLLIN) != 0) {
    const ssize_t got = ::read(reader.get(), block.data(), block.size());
    if (got <= 0) break;
    all.append(block.data(), static_cast<std::size_t>(got));
  }
  return all;
}

template <typename Body>
std::chrono::nanoseconds time_of(const Body& body) {
  const auto before = std::chrono::steady_clock::now();
  body();
  return std::chrono::steady_clock::now() - before;
}

std::size_t count_records(const std::string& text) {
  std::size_t records = 0;
  for (const std::string& line : test::lines_of(text)) records += event::decode(line) ? 1 : 0;
  return records;
}

TEST(AuditDescriptor, RefusesWhatIsClosedOrCannotBeWritten) {
  const test::Scratch scratch;
  Ends ends = make_pipe();
  const int closed = ends.writer.get();
  ends.writer.reset();
  EXPECT_NE(test::problem_of(test::open_log(Descriptor{closed})).find("Bad file descriptor"), std::string::npos);
  EXPECT_NE(test::problem_of(test::open_log(Descriptor{-1})), "");
  EXPECT_NE(test::problem_of(test::open_log(Descriptor{ends.reader.get()})).find("not open for writing"),
            std::string::npos);
  const Fd folder(::open(scratch.path().c_str(), O_RDONLY | O_DIRECTORY));
  EXPECT_NE(test::problem_of(test::open_log(Descriptor{folder.get()})), "");
  const Fd path(::open("/dev/null", O_PATH));
  EXPECT_NE(test::problem_of(test::open_log(Descriptor{path.get()})), "");
}

class AuditStream : public ::testing::TestWithParam<Ends (*)()> {};

TEST_P(AuditStream, GetsARecordALine) {
  const Ends ends = GetParam()();
  auto opened = test::open_log(Descriptor{ends.writer.get()});
  ASSERT_EQ(test::problem_of(opened), "");
  ASSERT_FALSE(std::get<Log>(opened).append(test::ended()));
  ASSERT_FALSE(std::get<Log>(opened).append(test::ended(8'000)));
  const std::string got = drain(ends.reader);
  EXPECT_EQ(count_records(got), 2u);
  EXPECT_EQ(test::lines_of(got).size(), 2u);
}

TEST_P(AuditStream, LeavesTheInheritedDescriptionAsItWas) {
  const Ends ends = GetParam()();
  const int before = ::fcntl(ends.writer.get(), F_GETFL);
  auto opened = test::open_log(Descriptor{ends.writer.get()});
  ASSERT_FALSE(std::get<Log>(opened).append(test::ended()));
  EXPECT_EQ(::fcntl(ends.writer.get(), F_GETFL), before);
  EXPECT_EQ(before & O_NONBLOCK, 0);
}

TEST_P(AuditStream, WaitsForAReaderThatStoppedOnceAndBriefly) {
  const Ends ends = GetParam()();
  auto opened = test::open_log(Descriptor{ends.writer.get()});
  Log& log = std::get<Log>(opened);
  std::optional<WriteError> error;
  const auto first = time_of([&] {
    for (int index = 0; index < 10'000 && !error; ++index) error = log.append(test::ended(1'000));
  });
  ASSERT_TRUE(error);
  EXPECT_EQ(error->error, EAGAIN);
  EXPECT_GE(first, 190ms);
  EXPECT_LT(first, 2s);
  EXPECT_LT(time_of([&] {
              for (int index = 0; index < 100; ++index) (void)log.append(test::ended(1'000));
            }),
            150ms);
  EXPECT_EQ(log.lost().at(0).second, 101u);
}

TEST_P(AuditStream, GoesOnOnANewLineWhenTheReaderDoes) {
  const Ends ends = GetParam()();
  auto opened = test::open_log(Descriptor{ends.writer.get()});
  Log& log = std::get<Log>(opened);
  std::uint64_t written = 0;
  while (!log.append(test::ended(1'000))) ++written;
  const std::string before = drain(ends.reader);
  ASSERT_FALSE(log.append(test::ended()));
  const std::string after = drain(ends.reader);
  EXPECT_EQ(count_records(before), written);
  EXPECT_EQ(count_records(before + after), written + 1);
}

TEST_P(AuditStream, SurvivesAReaderThatWentAway) {
  Ends ends = GetParam()();
  auto opened = test::open_log(Descriptor{ends.writer.get()});
  ends.reader.reset();
  const std::optional<WriteError> error = std::get<Log>(opened).append(test::ended());  // SIGPIPE would end the test
  ASSERT_TRUE(error);
  EXPECT_EQ(error->error, EPIPE);
}

// --- while the plugin runs

TEST_P(AuditStream, QueuesWhatIsNotTakenAndWaitsForNobody) {
  const Ends ends = GetParam()();
  auto opened = test::open_log(Descriptor{ends.writer.get()});
  Log& log = std::get<Log>(opened);
  log.start();
  log.keep();
  std::size_t accepted = 0;
  EXPECT_LT(time_of([&] {
              while (!log.append(test::ended_early(1'000))) ++accepted;
            }),
            2s);
  EXPECT_GT(accepted, Sink::kMostQueued / 1'500) << "the queue holds something";
  EXPECT_LT(accepted, 2'000u) << "but not everything";
  EXPECT_EQ(log.lost().at(0).second, 1u);
  std::string got;  // the keeper hands over what waits, without another record
  const auto deadline = std::chrono::steady_clock::now() + 30s;
  while (count_records(got) < accepted && std::chrono::steady_clock::now() < deadline) {
    pollfd wanted{.fd = ends.reader.get(), .events = POLLIN, .revents = 0};
    (void)::poll(&wanted, 1, 1'000);
    got += drain(ends.reader);
  }
  EXPECT_EQ(count_records(got), accepted);
  ASSERT_FALSE(log.append(test::ended()));
  EXPECT_EQ(count_records(drain(ends.reader)), 1u);
}

TEST_P(AuditStream, SettlesBrieflyAndCountsTheRest) {
  const Ends ends = GetParam()();
  auto opened = test::open_log(Descriptor{ends.writer.get()});
  Log& log = std::get<Log>(opened);
  log.start();
  log.keep();
  std::size_t accepted = 0;
  while (!log.append(test::ended_early(1'000))) ++accepted;
  EXPECT_LT(time_of([&] { log.settle(); }), 2s);
  const std::string got = drain(ends.reader);
  EXPECT_EQ(count_records(got) + log.lost().at(0).second, accepted + 1);
  ASSERT_FALSE(log.append(test::ended()));
  EXPECT_EQ(count_records(got + drain(ends.reader)), count_records(got) + 1) << "on a line of its own";
}

INSTANTIATE_TEST_SUITE_P(Pipe, AuditStream, ::testing::Values(make_pipe));
INSTANTIATE_TEST_SUITE_P(Socket, AuditStream, ::testing::Values(make_sockets));

// A packet socket shows where one write ends and the next begins.
TEST(AuditPackets, HoldOneRecordEach) {
  std::array<int, 2> raw{};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, raw.data()), 0);
  const Fd reader(raw[0]);
  const Fd writer(raw[1]);
  auto opened = test::open_log(Descriptor{writer.get()});
  ASSERT_EQ(test::problem_of(opened), "");
  for (const std::size_t size : {0u, 4'000u, 100'000u}) {
    ASSERT_FALSE(std::get<Log>(opened).append(test::ended(size)));
    std::string packet(event::kMaxLine + 1, '\0');
    packet.resize(static_cast<std::size_t>(::recv(reader.get(), packet.data(), packet.size(), MSG_DONTWAIT)));
    EXPECT_EQ(packet.back(), '\n');
    packet.pop_back();
    EXPECT_TRUE(event::decode(packet)) << size;
  }
}

// Where /proc is not there to open the pipe again.
TEST(AuditShared, IsAskedBeforeEachWrite) {
  Ends ends = make_pipe();
  Sink sink("pipe", std::move(ends.writer), Sink::Sort::Shared);
  const std::string framed = "\n" + std::string(9'999, 'x') + "\n";
  std::uint64_t written = 0;
  ::alarm(20);  // instead of hanging
  while (sink.append(framed) == 0) ++written;
  ::alarm(0);
  EXPECT_GE(written, 4u);
  EXPECT_EQ(sink.lost(), 1u);
  EXPECT_TRUE(drain(ends.reader).starts_with(std::string(9'999, 'x') + "\n" + std::string(9'999, 'x') + "\n"));
}

TEST(AuditNames, StandForTheirDescriptors) {
  const Ends ends = make_pipe();
  for (const std::string& name :
       {"/dev/fd/" + std::to_string(ends.writer.get()), "/proc/self/fd/" + std::to_string(ends.writer.get())}) {
    auto opened = test::open_log(File{name});
    ASSERT_EQ(test::problem_of(opened), "") << name;
    ASSERT_FALSE(std::get<Log>(opened).append(test::ended()));
    EXPECT_EQ(count_records(drain(ends.reader)), 1u) << name;
  }
  EXPECT_NE(test::problem_of(test::open_log(File{"/dev/fd/x"})), "");
  EXPECT_EQ(test::problem_of(test::open_log(File{"/dev/stderr"})), "");
}

TEST(AuditSeveral, GetTheSameRecords) {
  const test::Scratch scratch;
  const Ends ends = make_pipe();
  auto opened = open(test::kIdentity, {File{scratch / "log"}, Descriptor{ends.writer.get()}}, test::me());
  ASSERT_EQ(test::problem_of(opened), "");
  ASSERT_FALSE(std::get<Log>(opened).append(test::ended()));
  EXPECT_EQ(drain(ends.reader), test::content(scratch / "log"));
}

// One that fails keeps no other from its record.
TEST(AuditSeveral, FailApart) {
  const test::Scratch scratch;
  Ends ends = make_pipe();
  auto opened = open(test::kIdentity, {Descriptor{ends.writer.get()}, File{scratch / "log"}}, test::me());
  ASSERT_EQ(test::problem_of(opened), "");
  Log& log = std::get<Log>(opened);
  ends.reader.reset();
  const std::optional<WriteError> error = log.append(test::ended());
  ASSERT_TRUE(error);
  EXPECT_EQ(error->sink, "descriptor " + std::to_string(ends.writer.get()));
  EXPECT_EQ(log.lost(), (event::Counts{{error->sink, 1}}));
  EXPECT_EQ(count_records(test::content(scratch / "log")), 2u);
}

}  // namespace
}  // namespace jail::audit
