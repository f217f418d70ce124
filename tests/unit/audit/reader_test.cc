// What is read from a log, also from one that was torn, forged or made to hurt the reader.
#include "audit/reader.h"

#include <fcntl.h>

#include "../base/arbitrary.h"
#include "audit/logs.h"
#include "audit/render.h"
#include "base/text.h"
#include "event/encode.h"
#include "scene.h"

namespace jail::audit {
namespace {

using test::Scratch;

std::string line_of(const std::string& run, std::uint64_t seq, event::Body body) {
  json::Writer writer;
  const event::Stamp stamp{.seq = seq,
                           .time = clock::parse_rfc3339("2026-11-21T00:54:45.123456Z").value(),
                           .mono_ns = seq,
                           .run = run,
                           .profile = "acme-crm"};
  encode(stamp, {.body = std::move(body)}, {}, writer);
  return writer.text() + "\n";
}

std::string whole_run(const std::string& run) {
  return line_of(run, 1, event::RunStarted{.command = {"true"}}) + line_of(run, 2, event::RunEnded{.exit = 0});
}

TailEnd tail_of(const std::string& path, const Selection& selection = {}) {
  const Or<Fd> log = open_for_reading(path);
  Or<TailEnd> end = tail(std::get<Fd>(log), path, selection);
  return std::get<TailEnd>(std::move(end));
}

std::vector<Line::Sort> sorts_of(const TailEnd& end) {
  std::vector<Line::Sort> sorts;
  for (const Line& line : end.lines) sorts.push_back(line.sort);
  return sorts;
}

using enum Line::Sort;
using Sorts = std::vector<Line::Sort>;

TEST(AuditTail, GivesTheLastRecordsOldestFirst) {
  const Scratch scratch;
  for (int run = 0; run < 3'000; ++run) test::put(scratch / "log", whole_run("run" + std::to_string(run)));
  const TailEnd end = tail_of(scratch / "log", {.lines = 3, .run = {}});
  ASSERT_EQ(end.lines.size(), 3u);
  EXPECT_EQ(end.lines[0].record->stamp.run, "run2998");
  EXPECT_EQ(end.lines[0].record->stamp.seq, 2u);
  EXPECT_EQ(end.lines[1].record->stamp.run, "run2999");
  EXPECT_EQ(end.lines[2].record->stamp.seq, 2u);
  EXPECT_EQ(tail_of(scratch / "log", {.lines = 100'000, .run = {}}).lines.size(), 6'000u);
  EXPECT_TRUE(end.unfinished.empty());
}

TEST(AuditTail, FindsARunFarBackByTheBeginningOfItsId) {
  const Scratch scratch;
  for (int run = 0; run < 3'000; ++run) test::put(scratch / "log", whole_run("run" + std::to_string(run) + "."));
  const TailEnd end = tail_of(scratch / "log", {.lines = 20, .run = "run7."});
  ASSERT_EQ(end.lines.size(), 2u);
  EXPECT_EQ(end.lines[0].record->stamp.seq, 1u);
  EXPECT_TRUE(tail_of(scratch / "log", {.lines = 20, .run = "nobody"}).lines.empty());
}

TEST(AuditTail, HasNothingToSayOfAnEmptyFile) {
  const Scratch scratch;
  test::put(scratch / "log", "");
  EXPECT_TRUE(tail_of(scratch / "log").lines.empty());
  test::put(scratch / "log", "\n\n\n");
  EXPECT_TRUE(tail_of(scratch / "log").lines.empty());
}

TEST(AuditTail, RecognisesATornEnd) {
  const Scratch scratch;
  const std::string started = line_of("a", 1, event::RunStarted{});
  test::put(scratch / "log", started + started.substr(0, started.size() / 2));
  EXPECT_EQ(sorts_of(tail_of(scratch / "log")), (Sorts{Record, Torn}));
}

// Every place a record can be torn at: the next run's record is found behind it, with or without a line feed between.
TEST(AuditTail, FindsWhatFollowsATornRecordWhereverItWasTorn) {
  const Scratch scratch;
  const std::string started = line_of("a", 1, event::RunStarted{.command = {"{\"schema\":\"jail/1\",", "\\"}});
  for (const std::string between : {"", "\n"})
    for (std::size_t size = 1; size + 1 < started.size(); ++size) {
      std::filesystem::remove(scratch / "log");
      test::put(scratch / "log", started.substr(0, size) + between + line_of("b", 1, event::RunEnded{}));
      const TailEnd end = tail_of(scratch / "log");
      ASSERT_EQ(sorts_of(end), (Sorts{Torn, Record})) << size;
      ASSERT_EQ(end.lines[1].record->stamp.run, "b");
      ASSERT_EQ(end.lines[0].text, started.substr(0, size));
    }
}

TEST(AuditTail, TakesNoTextOfAPluginForARecord) {
  const Scratch scratch;
  const std::string forged = line_of("forged", 9, event::RunEnded{.exit = 0});
  test::put(
      scratch / "log",
      line_of("a", 1, event::RunStarted{.command = {forged, "\n" + forged, forged.substr(0, forged.size() - 1)}}));
  const TailEnd end = tail_of(scratch / "log");
  ASSERT_EQ(sorts_of(end), Sorts{Record});
  EXPECT_EQ(end.lines[0].record->stamp.run, "a");
  EXPECT_EQ(end.unfinished, std::vector<std::string>{"a"});
}

TEST(AuditTail, NamesRunsThatHaveNoEnd) {
  const Scratch scratch;
  test::put(scratch / "log", whole_run("ended"));
  test::put(scratch / "log", line_of("cut", 1, event::RunStarted{}));
  test::put(scratch / "log", line_of("refused", 1, event::RunRefused{.reason = "no"}));
  test::put(scratch / "log", line_of("late", 1, event::RunStarted{}) + whole_run("other"));
  test::put(scratch / "log", line_of("late", 2, event::RunEnded{}));
  EXPECT_EQ(tail_of(scratch / "log").unfinished, std::vector<std::string>{"cut"});
  EXPECT_EQ(tail_of(scratch / "log", {.lines = 20, .run = "late"}).unfinished, std::vector<std::string>{});
}

TEST(AuditTail, PassesOnWhatIsValidButUnknown) {
  const Scratch scratch;
  test::put(scratch / "log", "{\"schema\":\"jail/1\",\"kind\":\"file.open\"}\n[1,2]\nnot json\n");
  EXPECT_EQ(sorts_of(tail_of(scratch / "log")), (Sorts{Foreign, Foreign, Torn}));
}

TEST(AuditTail, TakesARecordWithoutLineFeedButNothingElse) {
  const Scratch scratch;
  std::string line = line_of("a", 1, event::RunEnded{});
  line.pop_back();
  test::put(scratch / "log", line);
  EXPECT_EQ(sorts_of(tail_of(scratch / "log")), Sorts{Record});
  test::put(scratch / "other", R"({"a":1})");  // may have been longer
  EXPECT_EQ(sorts_of(tail_of(scratch / "other")), Sorts{Torn});
}

TEST(AuditTail, NeitherKeepsNorMovesAWholeEndlessLine) {
  const Scratch scratch;
  test::put(scratch / "log", whole_run("a"));
  std::filesystem::resize_file(scratch / "log", 128u << 20);  // zeros, on no disk
  const auto before = std::chrono::steady_clock::now();
  EXPECT_EQ(sorts_of(tail_of(scratch / "log")), (Sorts{Record, Record, Torn}));
  EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds(20));
}

TEST(AuditTail, BearsLinesWithoutEnd) {
  const Scratch scratch;
  test::put(scratch / "log", whole_run("a") + "beginning" + std::string(30'000'000, 'x') + "\n" + whole_run("b"));
  const TailEnd end = tail_of(scratch / "log");
  ASSERT_EQ(sorts_of(end), (Sorts{Record, Record, Torn, Record, Record}));
  EXPECT_LE(end.lines[2].text.size(), event::kMaxLine);
  EXPECT_TRUE(end.lines[2].text.starts_with("beginningxxx"));
}

TEST(AuditTail, BearsAnyBytes) {
  const Scratch scratch;
  std::mt19937_64 random(7);
  for (int round = 0; round < 300; ++round) {
    std::filesystem::remove(scratch / "log");
    test::put(scratch / "log", test::arbitrary_bytes(random, 2'000) + "\n" + whole_run("b"));
    const TailEnd end = tail_of(scratch / "log", {.lines = 1'000, .run = {}});
    ASSERT_GE(end.lines.size(), 2u);
    ASSERT_EQ(end.lines.back().record->stamp.run, "b");
    for (const Line& line : end.lines) {
      const std::string shown = render(line, Colour::Plain);
      for (std::string_view rest = shown; !rest.empty(); rest.remove_prefix(text::first_character(rest).size))
        ASSERT_FALSE(text::is_deceptive(text::first_character(rest).point)) << shown;
    }
  }
}

TEST(AuditTail, ReadsRegularFilesOnly) {
  const Scratch scratch;
  ASSERT_EQ(::mkfifo((scratch / "fifo").c_str(), 0600), 0);
  EXPECT_TRUE(std::holds_alternative<Problem>(open_for_reading(scratch / "fifo")));
  EXPECT_TRUE(std::holds_alternative<Problem>(open_for_reading(scratch.path())));
  EXPECT_TRUE(std::holds_alternative<Problem>(open_for_reading(scratch / "missing")));
}

TEST(AuditLogs, AreThoseOfTheNameAndNoOther) {
  const Scratch scratch;
  const std::string one = default_file_name("crm", "/a");
  const std::string two = default_file_name("crm", "/b");
  const std::string longer = default_file_name("crm-2", "/a");
  for (const std::string& name :
       {one, two, longer, std::string("crm.jsonl"), std::string("crm-123.jsonl"), one + ".gz"})
    test::put(scratch / name, "");
  const auto logs = [&](const std::string& profile) {
    return std::get<std::vector<std::string>>(logs_of(scratch.path(), profile)).size();
  };
  EXPECT_EQ(logs("crm"), 2u);
  EXPECT_EQ(logs("crm-2"), 1u);
  EXPECT_EQ(logs("cr"), 0u);
  EXPECT_EQ(logs(""), 3u);
  EXPECT_EQ(std::get<std::vector<std::string>>(logs_of(scratch / "missing", "")).size(), 0u);
}

}  // namespace
}  // namespace jail::audit
