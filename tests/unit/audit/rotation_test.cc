// Logs that grow: what becomes of a file, of the files before it, and of several runs at one file.
#include <fcntl.h>
#include <sys/file.h>

#include <map>
#include <set>

#include "audit/generations.h"
#include "event/encode.h"
#include "scene.h"

namespace jail::audit {
namespace {

using test::kCannotTry;
using test::kFails;
using test::kHolds;
using test::Scratch;

Policy small_files(std::uint64_t file, std::size_t generations = 1'000, std::uint64_t total = 1ULL << 40) {
  return {.durable = Durable::None, .bounds = {.retention = {file, total, generations}, .quota = {}}};
}

Fd folder_of(const Scratch& scratch) { return Fd(::open(scratch.path().c_str(), O_PATH | O_DIRECTORY)); }

// Of a log in the folder, oldest first.
std::vector<std::string> files_of(const Scratch& scratch, const std::string& name) {
  std::vector<std::string> names;
  for (const Generation& generation : generations_of(folder_of(scratch), name)) names.push_back(generation.name);
  names.push_back(name);
  return names;
}

audit::Identity run_called(const std::string& run) {
  audit::Identity identity = test::kIdentity;
  identity.run = run;
  return identity;
}

std::vector<event::Record> records_in(const std::string& path) {
  std::vector<event::Record> records;
  for (const std::string& line : test::lines_of(test::content(path))) {
    std::optional<event::Record> record = event::decode(line);
    EXPECT_TRUE(record) << line;
    if (record) records.push_back(std::move(*record));
  }
  return records;
}

TEST(AuditGenerations, AreCalledAfterTheirFile) {
  EXPECT_EQ(generation_name("crm-0123456789abcdef.jsonl", 3), "crm-0123456789abcdef.3.jsonl");
  EXPECT_EQ(generation_name("log", 12), "log.12");
  EXPECT_EQ(generation_name(".hidden", 1), ".hidden.1");
}

TEST(AuditGenerations, AreThoseOfOneFileInTheOrderOfTheirNumbers) {
  const Scratch scratch;
  for (const char* name : {"crm.10.jsonl", "crm.9.jsonl", "crm.jsonl", "crm.01.jsonl", "crm.x.jsonl", "crm.2.txt",
                           "crm-2.3.jsonl", "crm.0.jsonl", "crm..jsonl"})
    test::put(scratch / name, "x");
  ASSERT_EQ(::symlink("crm.jsonl", (scratch / "crm.11.jsonl").c_str()), 0);
  EXPECT_EQ(files_of(scratch, "crm.jsonl"), (std::vector<std::string>{"crm.9.jsonl", "crm.10.jsonl", "crm.jsonl"}));
}

TEST(AuditRotation, ChainsItsFilesAndLosesNothing) {
  const Scratch scratch;
  auto opened = test::open_log(File{scratch / "log.jsonl"}, test::kIdentity, small_files(10'000));
  for (int index = 0; index < 500; ++index) ASSERT_FALSE(std::get<Log>(opened).append(test::denied("/srv/x")));
  const std::vector<std::string> files = files_of(scratch, "log.jsonl");
  ASSERT_GE(files.size(), 10u);
  std::uint64_t seq = 0;
  std::string before;
  for (const std::string& name : files) {
    const std::vector<event::Record> records = records_in(scratch / name);
    const auto& first = std::get<event::LogOpened>(records.at(0).event.body);
    EXPECT_EQ(first.previous, before);
    EXPECT_EQ(first.profile_path, test::kIdentity.profile_path);
    EXPECT_EQ(first.previous_offset, before.empty() ? 0 : std::filesystem::file_size(scratch / before));
    for (const event::Record& record : records) ASSERT_EQ(record.stamp.seq, ++seq);
    EXPECT_LT(std::filesystem::file_size(scratch / name), 11'000u);
    before = name;
  }
  EXPECT_EQ(seq, 500 + files.size());
  struct stat status {};
  ASSERT_EQ(::stat((scratch / "log.jsonl").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode, mode_t{S_IFREG | 0600});
}

// A number that one sink has, the others have as well.
TEST(AuditRotation, LeavesNoGapInAnotherSink) {
  const Scratch scratch;
  auto opened = open(test::kIdentity, {File{scratch / "small"}, File{scratch / "other"}}, test::me(), {},
                     small_files(5'000));
  for (int index = 0; index < 50; ++index) ASSERT_FALSE(std::get<Log>(opened).append(test::denied("/srv/x")));
  std::set<std::uint64_t> numbers;
  for (const std::string& name : files_of(scratch, "other"))
    for (const event::Record& record : records_in(scratch / name)) numbers.insert(record.stamp.seq);
  EXPECT_GE(numbers.size(), 50u);
  EXPECT_EQ(*numbers.rbegin(), numbers.size());
}

TEST(AuditRotation, KeepsSoManyFilesAndBytesOfRunsThatEnded) {
  const Scratch scratch;
  for (int run = 0; run < 20; ++run) {
    auto opened = test::open_log(File{scratch / "log"}, run_called(std::to_string(run)), small_files(4'000, 3));
    for (int index = 0; index < 20; ++index) ASSERT_FALSE(std::get<Log>(opened).append(test::denied("/srv/x")));
  }
  const std::vector<std::string> files = files_of(scratch, "log");
  EXPECT_LE(files.size(), 3u + 1 + 2);  // the last run still lived when it last looked
  EXPECT_GE(files.size(), 4u);
  EXPECT_EQ(records_in(scratch / files.back()).back().stamp.run, "19");
  auto opened = test::open_log(File{scratch / "log"}, run_called("20"), small_files(4'000, 3, 9'000));
  for (int index = 0; index < 20; ++index) ASSERT_FALSE(std::get<Log>(opened).append(test::denied("/srv/x")));
  std::uint64_t total = 0;
  for (const std::string& name : files_of(scratch, "log")) total += std::filesystem::file_size(scratch / name);
  EXPECT_LE(total, 9'000u + 5'000);
}

TEST(AuditRotation, DeletesNothingOfALiveRun) {
  const Scratch scratch;
  auto live = test::open_log(File{scratch / "log"}, run_called("live"), small_files(4'000, 1));
  ASSERT_FALSE(std::get<Log>(live).append(test::denied("/srv/evidence")));
  auto flood = test::open_log(File{scratch / "log"}, run_called("flood"), small_files(4'000, 1));
  for (int index = 0; index < 300; ++index) ASSERT_FALSE(std::get<Log>(flood).append(test::denied("/srv/x")));
  std::size_t evidence = 0;
  for (const std::string& name : files_of(scratch, "log"))
    for (const event::Record& record : records_in(scratch / name)) evidence += record.stamp.run == "live" ? 1 : 0;
  EXPECT_EQ(evidence, 2u);
  { const Problem closed; flood = closed; live = closed; }  // both end
  auto next = test::open_log(File{scratch / "log"}, run_called("next"), small_files(4'000, 1));
  for (int index = 0; index < 40; ++index) ASSERT_FALSE(std::get<Log>(next).append(test::denied("/srv/x")));
  for (const std::string& name : files_of(scratch, "log"))
    for (const event::Record& record : records_in(scratch / name)) EXPECT_NE(record.stamp.run, "live");
}

// Several processes rotate one log under each other's hands.
TEST(AuditRotation, IsOneWorkOfAllRunsAtAFile) {
  const Scratch scratch;
  constexpr int kRuns = 4;
  constexpr std::uint64_t kRecords = 1'000;
  std::vector<pid_t> children;
  for (int run = 0; run < kRuns; ++run) {
    const pid_t child = ::fork();
    if (child != 0) {
      children.push_back(child);
      continue;
    }
    auto opened =
        test::open_log(File{scratch / "log"}, run_called("run" + std::to_string(run)), small_files(20'000));
    bool failed = !test::problem_of(opened).empty();
    for (std::uint64_t index = 0; index < kRecords && !failed; ++index)
      failed = std::get<Log>(opened).append(test::denied("/srv/x")).has_value();
    ::_exit(failed ? kFails : kHolds);
  }
  for (const pid_t child : children) {
    int status = -1;
    ::waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
  }
  std::map<std::string, std::set<std::uint64_t>> seen;
  std::string before;
  for (const std::string& name : files_of(scratch, "log")) {
    const std::vector<event::Record> records = records_in(scratch / name);
    ASSERT_FALSE(records.empty()) << name;
    const auto* first = std::get_if<event::LogOpened>(&records[0].event.body);
    ASSERT_NE(first, nullptr) << name;
    EXPECT_EQ(first->previous, before);
    for (const event::Record& record : records)
      EXPECT_TRUE(seen[record.stamp.run].insert(record.stamp.seq).second) << record.stamp.run;
    before = name;
  }
  ASSERT_EQ(seen.size(), std::size_t{kRuns});
  for (const auto& [run, numbers] : seen) {
    EXPECT_GE(numbers.size(), kRecords) << run;
    EXPECT_EQ(*numbers.rbegin(), numbers.size()) << run;
  }
}

TEST(AuditRotation, GoesOnInTheOldFileWhereItMayNotMakeANewOne) {
  const Scratch scratch;
  const int verdict = test::in_child([&] {
    auto opened = test::open_log(File{scratch / "log"}, test::kIdentity, small_files(2'000));
    if (!test::problem_of(opened).empty()) return kFails;
    if (::geteuid() == 0 && ::setresuid(12'345, 12'345, 12'345) != 0) return kCannotTry;
    if (::geteuid() != 12'345 && ::chmod(scratch.path().c_str(), 0500) != 0) return kCannotTry;
    for (int index = 0; index < 50; ++index)
      if (std::get<Log>(opened).append(test::denied("/srv/x"))) return kFails;
    return std::get<Log>(opened).lost().empty() ? kHolds : kFails;
  });
  EXPECT_EQ(verdict, kHolds);
  ::chmod(scratch.path().c_str(), 0755);
  std::uint64_t seq = 0;
  for (const event::Record& record : records_in(scratch / "log")) EXPECT_EQ(record.stamp.seq, ++seq);
  EXPECT_EQ(seq, 51u);
}

TEST(AuditRotation, WorksFromAnEmptyRoot) {
  const Scratch scratch;
  ASSERT_EQ(::mkdir((scratch / "empty").c_str(), 0700), 0);
  const int verdict = test::in_child([&] {
    auto opened = test::open_log(File{scratch / "log"}, test::kIdentity, small_files(2'000, 2));
    if (!test::enter_own_view() || ::chroot((scratch / "empty").c_str()) != 0 || ::chdir("/") != 0) return kCannotTry;
    for (int index = 0; index < 50; ++index)
      if (std::get<Log>(opened).append(test::denied("/srv/x"))) return kFails;
    return kHolds;
  });
  if (verdict == kCannotTry) GTEST_SKIP() << "no chroot: neither root nor user namespaces";
  EXPECT_EQ(verdict, kHolds);
  EXPECT_GE(files_of(scratch, "log").size(), 3u);
}

// What stands at the name by then may have been put there by somebody: it is not written to.
TEST(AuditRotation, JoinsNoFileThatItWouldNotHaveOpened) {
  const Scratch scratch;
  auto opened = test::open_log(File{scratch / "log"}, test::kIdentity, small_files(2'000));
  ASSERT_EQ(::rename((scratch / "log").c_str(), (scratch / "mine").c_str()), 0);
  test::put(scratch / "victim", "");
  ASSERT_EQ(::symlink("victim", (scratch / "log").c_str()), 0);
  for (int index = 0; index < 50; ++index) ASSERT_FALSE(std::get<Log>(opened).append(test::denied("/srv/x")));
  EXPECT_EQ(test::content(scratch / "victim"), "");
  EXPECT_EQ(records_in(scratch / "mine").size(), 51u);
}

}  // namespace
}  // namespace jail::audit
