// A run's share of the log: what is written of a flood, and what is always found in it.
#include "audit/budget.h"

#include "event/encode.h"
#include "scene.h"

namespace jail::audit {
namespace {

using test::Scratch;

Policy share(std::uint64_t bulk, std::uint64_t reserved) {
  return {.durable = Durable::None, .bounds = {.retention = {}, .quota = {bulk, reserved}}};
}

struct Written {
  std::size_t bulk = 0;
  std::size_t denied = 0;
  std::size_t limits = 0;
  std::size_t ended = 0;
  std::uint64_t last = 0;
  std::size_t records = 0;
};

Written read_back(const std::string& path) {
  Written written;
  for (const std::string& line : test::lines_of(test::content(path))) {
    const event::Record record = event::decode(line).value();
    const bool opens = std::holds_alternative<event::FileOpen>(record.event.body);
    const bool denied = record.event.verdict && record.event.verdict->decision == event::Decision::Denied;
    if (opens) ++(denied ? written.denied : written.bulk);
    if (std::holds_alternative<event::LimitReached>(record.event.body)) ++written.limits;
    if (std::holds_alternative<event::RunEnded>(record.event.body)) ++written.ended;
    written.last = record.stamp.seq;
    ++written.records;
  }
  return written;
}

TEST(AuditBudget, GivesDenialsAndLifecycleAShareOfTheirOwn) {
  EXPECT_EQ(weight_of(test::looked_up("/x")), Weight::Bulk);
  EXPECT_EQ(weight_of(test::denied("/x")), Weight::Reserved);
  EXPECT_EQ(weight_of({.body = event::SyscallDenied{}}), Weight::Reserved);
  EXPECT_EQ(weight_of({.body = event::PrivilegeAttempt{}}), Weight::Reserved);
  EXPECT_EQ(weight_of({.body = event::MonitorLost{}}), Weight::Always);
  EXPECT_EQ(weight_of(test::ended()), Weight::Always);
}

TEST(AuditBudget, FindsEveryDenialInAFlood) {
  const Scratch scratch;
  auto opened = test::open_log(File{scratch / "log"}, test::kIdentity, share(50'000, 1 << 20));
  Log& log = std::get<Log>(opened);
  constexpr int kFlood = 100'000;
  for (int index = 0; index < kFlood; ++index) {
    ASSERT_FALSE(log.append(test::looked_up("/usr/lib/python3/x.py")));
    if (index % (kFlood / 100) != 0) continue;
    ASSERT_FALSE(log.append(test::denied("/srv/secret")));
  }
  const event::Counts counted = log.counted();
  ASSERT_FALSE(log.append({.body = event::RunEnded{.events = log.events_by_kind(), .counted = counted}}));
  const Written written = read_back(scratch / "log");
  EXPECT_EQ(written.denied, 100u);
  EXPECT_EQ(written.limits, 1u);
  EXPECT_EQ(written.ended, 1u);
  ASSERT_EQ(counted.size(), 1u);
  EXPECT_EQ(counted[0].first, "file.open");
  EXPECT_EQ(written.bulk + counted[0].second, std::uint64_t{kFlood});
  EXPECT_EQ(written.last, written.records) << "what is only counted uses up no number";
  EXPECT_LT(std::filesystem::file_size(scratch / "log"), 120'000u);
  EXPECT_EQ(log.lost(), event::Counts{});
}

TEST(AuditBudget, EndsForDenialsToo) {
  const Scratch scratch;
  std::string loss;
  auto opened = test::open_log(File{scratch / "log"}, test::kIdentity, share(10'000, 10'000));
  Log& log = std::get<Log>(opened);
  log.start([&loss](const WriteError& error) { loss = text_of(error); });
  for (int index = 0; index < 10'000; ++index) ASSERT_FALSE(log.append(test::denied("/srv/secret")));
  EXPECT_EQ(loss, "the run's share of the log is used up");
  ASSERT_FALSE(log.append({.body = event::MonitorLost{.count = 1, .reason = "x"}}));
  ASSERT_FALSE(log.append(test::ended()));
  const Written written = read_back(scratch / "log");
  EXPECT_EQ(written.ended, 1u);
  EXPECT_EQ(written.denied + log.counted().at(0).second, 10'000u);
  EXPECT_LT(std::filesystem::file_size(scratch / "log"), 12'000u);
}

}  // namespace
}  // namespace jail::audit
