#include "blindspot/judge.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <set>

namespace jail::blindspot {
namespace {

using event::Decision;

constexpr pid_t kProcess = 7;
const Scene kScene{.folder = "/scene", .program = "/usr/bin/jail"};

Action opens(std::string_view path) {
  return {"openat", [](const Scene&) { return Outcome{}; }, {Evidence{"file.open", "openat", path}}};
}
Outcome done(pid_t process = kProcess) { return {.error = 0, .process = process}; }
Outcome refused(int error) { return {.error = error, .process = kProcess}; }

event::Record record(event::Body body, Decision decision, std::int32_t process = kProcess) {
  event::Event event{.body = std::move(body), .source = event::Source::Notify};
  event.jail_pid = process;
  event.verdict = event::Verdict{.decision = decision, .predicted = true};
  return {.stamp = {.seq = 9}, .event = std::move(event)};
}
event::Record opening(std::string path, Decision decision = Decision::Allowed, std::int32_t process = kProcess) {
  return record(event::FileOpen{"openat", {.path = std::move(path)}, {"read"}}, decision, process);
}

Result judged(const std::optional<Outcome>& outcome, std::vector<event::Record> log, Kernel kernel = Kernel::HasIt) {
  static const Action action = opens("{granted}/file");
  return judge(action, kernel, outcome, log, kScene).result;
}

TEST(Judge, WhatIsDoneAndToldIsLogged) {
  EXPECT_EQ(judged(done(), {opening("/scene/granted/file")}), Result::Logged);
  const Action action = opens("{granted}/file");
  EXPECT_EQ(judge(action, Kernel::HasIt, done(), std::vector{opening("/scene/granted/file")}, kScene).record, 9U);
}

TEST(Judge, WhatIsDoneWithoutARecordIsInvisible) { EXPECT_EQ(judged(done(), {}), Result::Invisible); }

TEST(Judge, WhatIsRefusedWithoutARecordIsOnlyDenied) { EXPECT_EQ(judged(refused(EACCES), {}), Result::Denied); }

TEST(Judge, WhatIsRefusedAndSaidToBe) {
  EXPECT_EQ(judged(refused(EACCES), {opening("/scene/granted/file", Decision::Denied)}), Result::DeniedLogged);
  EXPECT_EQ(judged(refused(ENOENT), {opening("/scene/granted/file", Decision::Failed)}), Result::DeniedLogged);
}

// The kernel refused what the plan had allowed: the log has the attempt.
TEST(Judge, WhatIsRefusedAfterItWasForetoldAllowedIsLogged) {
  EXPECT_EQ(judged(refused(EACCES), {opening("/scene/granted/file")}), Result::Logged);
}

TEST(Judge, WhatIsDoneWhileTheLogSaysDeniedIsInvisible) {
  EXPECT_EQ(judged(done(), {opening("/scene/granted/file", Decision::Denied)}), Result::Invisible);
}

TEST(Judge, AnUnrelatedRecordDoesNotHelp) {
  const std::vector<event::Record> unrelated[] = {
      {opening("/scene/granted/other")},
      {opening("/scene/granted/file", Decision::Allowed, kProcess + 1)},
      {record(event::FileOpen{"open", {.path = "/scene/granted/file"}, {"read"}}, Decision::Allowed)},
      {record(event::FileMetadata{"openat", {.path = "/scene/granted/file"}, "mode"}, Decision::Allowed)},
      {record(event::FileOpen{"openat", {.path = "", .requested = "/scene/granted/file", .unknown = true}, {}},
              Decision::Allowed)},
      {record(event::SyscallDenied{"openat", 257}, Decision::Denied)},
  };
  for (const auto& log : unrelated) EXPECT_EQ(judged(done(), log), Result::Invisible);
  for (const auto& log : unrelated) EXPECT_EQ(judged(refused(EACCES), log), Result::Denied);
}

TEST(Judge, ARecordWithoutAProcessIsNobodys) {
  event::Record nobodys = opening("/scene/granted/file");
  nobodys.event.jail_pid.reset();
  EXPECT_EQ(judged(done(), {nobodys}), Result::Invisible);
}

TEST(Judge, AmongManyRecordsTheRightOneIsFound) {
  EXPECT_EQ(judged(done(), {opening("/a"), opening("/scene/granted/file", Decision::Allowed, 3),
                            opening("/scene/granted/file"), opening("/b")}),
            Result::Logged);
}

TEST(Judge, WhatTheKernelLacksIsUnsupportedUnlessItWasDenied) {
  EXPECT_EQ(judged(refused(ENOSYS), {}, Kernel::LacksIt), Result::Unsupported);
  EXPECT_EQ(judged(refused(ENOSYS), {opening("/scene/granted/file")}, Kernel::LacksIt), Result::Unsupported);
  EXPECT_EQ(judged(refused(ENOSYS), {opening("/scene/granted/file", Decision::Denied)}, Kernel::LacksIt),
            Result::DeniedLogged);
  EXPECT_EQ(judged(refused(ENOSYS), {}, Kernel::HasIt), Result::Denied);
}

TEST(Judge, WhatCouldNotBeMadeReadyWasNotTried) {
  const auto missing = [](int error) {
    return Outcome{.error = error, .process = kProcess, .step = Outcome::Step::Missing};
  };
  EXPECT_EQ(judged(missing(EAFNOSUPPORT), {}), Result::Unsupported);
  EXPECT_EQ(judged(missing(EMFILE), {opening("/scene/granted/file")}), Result::Untried);
  EXPECT_EQ(judged(std::nullopt, {opening("/scene/granted/file")}), Result::Untried);
}

TEST(Judge, WhatWasGivenIsToldAtTheStart) {
  const Action action{"write", nullptr, {Evidence{"run.started", "", "{given}"}}};
  const auto with = [&](std::vector<std::string> passed) {
    event::RunStarted started;
    started.passed = std::move(passed);
    const std::vector<event::Record> log{{.stamp = {}, .event = {.body = started}}};
    return judge(action, Kernel::HasIt, done(), log, kScene).result;
  };
  EXPECT_EQ(with({"7: file, read and write, /scene/given"}), Result::Logged);
  EXPECT_EQ(with({"7: file, read and write, /scene/given/other"}), Result::Invisible);
  EXPECT_EQ(with({}), Result::Invisible);
}

TEST(Judge, SubjectsOfRecords) {
  EXPECT_EQ(subject_of(event::FileRename{"rename", {.path = "/a"}, {.path = "/b"}}), "/a /b");
  EXPECT_EQ(subject_of(event::FileLink{"symlink", {.path = "/a"}, {.path = "b"}}), "/a b");
  EXPECT_EQ(subject_of(event::NetConnect{"connect", {.address = "192.0.2.1", .port = 80}}), "192.0.2.1:80");
  EXPECT_EQ(subject_of(event::NetSend{"sendto", {.address = "2001:db8::1", .port = 9}}), "[2001:db8::1]:9");
  EXPECT_EQ(subject_of(event::NetListen{"bind", {.path = "@name"}}), "@name");
  EXPECT_EQ(subject_of(event::NetSend{"sendto", {.family = 16}}), "family 16");
  EXPECT_EQ(subject_of(event::SyscallDenied{"umask", 60, "i386"}), "i386");
}

TEST(Report, IsReadBackAndOtherLinesAreNot) {
  const Report report{3, {.error = EPERM, .process = 12, .step = Outcome::Step::Missing}};
  EXPECT_EQ(read_reports("noise\n" + line_of(report) + "4 1"), std::vector{report});
}

TEST(Actions, AreManyEachWithANameOfItsOwnAndEvidence) {
  std::set<std::string_view> names;
  std::size_t count = 0;
  for (const Group& group : groups())
    for (const Action& action : group.actions) {
      ++count;
      names.insert(action.name);
      EXPECT_FALSE(action.evidence.front().kind.empty()) << action.name;
    }
  EXPECT_EQ(names.size(), count);
  EXPECT_GE(count, 40U);
}

}  // namespace
}  // namespace jail::blindspot
