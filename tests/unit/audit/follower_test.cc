// Reading on: what is added to a log is told once and in order, whatever happens to its files meanwhile.
#include "audit/follower.h"

#include "scene.h"

namespace jail::audit {
namespace {

using test::Scratch;

std::vector<std::string> paths_in(const std::vector<Line>& lines) {
  std::vector<std::string> paths;
  for (const Line& line : lines)
    if (line.record)
      if (const auto* opened = std::get_if<event::FileOpen>(&line.record->event.body))
        paths.push_back(opened->named.path);
  return paths;
}

Follower from_now(const std::string& path) {
  Or<Fd> file = open_for_reading(path);
  const std::int64_t end = std::get<TailEnd>(tail(std::get<Fd>(file), path, {})).end;
  return {path, std::move(std::get<Fd>(file)), end};
}

using Paths = std::vector<std::string>;

TEST(AuditFollower, TellsWhatIsAddedOnce) {
  const Scratch scratch;
  auto opened = test::open_log(File{scratch / "log"});
  Log& log = std::get<Log>(opened);
  ASSERT_FALSE(log.append(test::denied("/before")));
  Follower follower = from_now(scratch / "log");
  EXPECT_EQ(paths_in(follower.read()), Paths{});
  ASSERT_FALSE(log.append(test::denied("/a")));
  ASSERT_FALSE(log.append(test::denied("/b")));
  EXPECT_EQ(paths_in(follower.read()), (Paths{"/a", "/b"}));
  EXPECT_EQ(paths_in(follower.read()), Paths{});
}

TEST(AuditFollower, WaitsForTheEndOfALine) {
  const Scratch scratch;
  auto opened = test::open_log(File{scratch / "whole"});
  ASSERT_FALSE(std::get<Log>(opened).append(test::denied("/a")));
  const std::string text = test::content(scratch / "whole");
  test::put(scratch / "log", text.substr(0, text.size() - 20));
  Follower follower = from_now(scratch / "log");
  EXPECT_EQ(paths_in(follower.read()), Paths{});
  test::put(scratch / "log", text.substr(text.size() - 20));
  EXPECT_EQ(paths_in(follower.read()), Paths{"/a"});
}

TEST(AuditFollower, WaitsForALogThatIsNotThereYet) {
  const Scratch scratch;
  Follower follower(scratch / "log");
  EXPECT_TRUE(follower.read().empty());
  auto opened = test::open_log(File{scratch / "log"});
  ASSERT_FALSE(std::get<Log>(opened).append(test::denied("/a")));
  EXPECT_EQ(paths_in(follower.read()), Paths{"/a"});
}

TEST(AuditFollower, GoesOverSeveralRotationsAtOnce) {
  const Scratch scratch;
  const Policy small{.durable = Durable::None, .bounds = {.retention = {.file = 2'000}, .quota = {}}};
  auto opened = test::open_log(File{scratch / "log"}, test::kIdentity, small);
  Log& log = std::get<Log>(opened);
  Follower follower = from_now(scratch / "log");
  Paths wanted;
  for (int index = 0; index < 100; ++index) {
    wanted.push_back("/" + std::to_string(index));
    ASSERT_FALSE(log.append(test::denied(wanted.back())));
  }
  EXPECT_EQ(paths_in(follower.read()), wanted);
  ASSERT_FALSE(log.append(test::denied("/last")));
  EXPECT_EQ(paths_in(follower.read()), Paths{"/last"});
}

TEST(AuditTailOfGenerations, GoesBackAsFarAsNeeded) {
  const Scratch scratch;
  const Policy small{.durable = Durable::None, .bounds = {.retention = {.file = 2'000}, .quota = {}}};
  auto opened = test::open_log(File{scratch / "log"}, test::kIdentity, small);
  for (int index = 0; index < 100; ++index)
    ASSERT_FALSE(std::get<Log>(opened).append(test::denied("/" + std::to_string(index))));
  const Or<Fd> file = open_for_reading(scratch / "log");
  const auto end = tail(std::get<Fd>(file), scratch / "log",
                        {.lines = 50, .run = {}, .show = Selection::Show::Denied});
  const Paths paths = paths_in(std::get<TailEnd>(end).lines);
  ASSERT_EQ(paths.size(), 50u);
  EXPECT_EQ(paths.front(), "/50");
  EXPECT_EQ(paths.back(), "/99");
}

}  // namespace
}  // namespace jail::audit
