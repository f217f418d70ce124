#include "event/encode.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "samples.h"

namespace jail::event {
namespace {

std::string line_of(const Event& event, const Redactor& redactor = {}) {
  json::Writer writer;
  encode(test::stamp(), event, redactor, writer);
  return writer.text();
}

std::string line_of(Body body, const Redactor& redactor = {}) {
  return line_of(Event{.body = std::move(body)}, redactor);
}

bool is_one_line(std::string_view line) {
  return std::ranges::none_of(line, [](unsigned char byte) { return byte < 0x20 || byte == 0x7f; });
}

TEST(EventEncode, WritesTheCommonMembersInOrder) {
  const std::string line = line_of(Event{
      .body = LogOpened{}, .source = Source::KernelAudit, .process = 3, .pid = 4711, .jail_pid = 2, .mono_ns = 1});
  EXPECT_EQ(line, R"({"schema":"jail/1","seq":7,"time":"2026-11-21T00:54:45.123456Z","mono_ns":1234567890123,)"
                  R"("run":"00c0ffee00c0ffee","profile":"acme-crm","kind":"log.opened","source":"kernel-audit",)"
                  R"("process":3,"pid":4711,"jail_pid":2})");
}

TEST(EventEncode, WritesTheEffectivePolicyLayerByLayer) {
  const std::string line = line_of(test::started());
  EXPECT_NE(line.find(R"("policy":[{"layer":"userns","state":"enforced","asked_by":"acme-crm.yaml:3"},)"
                      R"({"layer":"landlock","state":"partial","reason":"ABI 2 knows no truncate",)"
                      R"("asked_by":"acme-crm.yaml:5"},)"
                      R"({"layer":"limits.memory","state":"absent","reason":"no cgroup"}])"),
            std::string::npos)
      << line;
}

TEST(EventEncode, SaysThatNothingWasLostRatherThanNothing) {
  EXPECT_NE(line_of(RunEnded{}).find(R"("lost":{})"), std::string::npos);
}

TEST(EventDecode, ReadsEveryKindBack) {
  for (const Body& body : test::one_of_each()) {
    const Event event{.body = body, .source = Source::Notify, .process = 1, .pid = 2, .jail_pid = 3};
    const std::optional<Record> record = decode(line_of(event));
    ASSERT_TRUE(record) << kind_of(body);
    EXPECT_EQ(*record, (Record{test::stamp(), event, {}})) << kind_of(body);
  }
}

TEST(EventDecode, ReadsVerdictAndRepeatsBack) {
  Event event{.body = FileOpen{"openat", test::named(), {"write"}}, .source = Source::Notify};
  event.verdict = test::verdict();
  event.repeats = test::repeats();
  const std::string line = line_of(event);
  EXPECT_NE(line.find(R"("path":"/srv/data/report","requested":"../report","access":["write"],)"
                      R"("decision":"denied","layer":"mount","rule":"acme-crm.yaml:12","errno":"EROFS",)"
                      R"("predicted":true,"count":12,"first":"2026-11-21T00:54:45.123456Z",)"
                      R"("last":"2026-11-21T00:54:54.123456Z"})"),
            std::string::npos)
      << line;
  EXPECT_EQ(decode(line).value().event, event);
  for (const Decision decision : {Decision::Allowed, Decision::Denied, Decision::Failed}) {
    event.verdict->decision = decision;
    EXPECT_EQ(decode(line_of(event)).value().event, event);
  }
}

TEST(EventDecode, ReadsEveryOutcomeBack) {
  for (int outcome = 0; outcome <= static_cast<int>(Outcome::Killed); ++outcome) {
    const RunEnded ended{.outcome = static_cast<Outcome>(outcome)};
    ASSERT_EQ(decode(line_of(ended)).value().event.body, Body(ended)) << name_of(ended.outcome);
  }
}

TEST(EventDecode, IgnoresMembersItDoesNotKnow) {
  std::string line = line_of(test::ended());
  line.insert(line.size() - 1, R"(,"bytes_sent":{"eth0":[1,2]},"chain":"ab")");
  EXPECT_EQ(decode(line).value().event.body, Body(test::ended()));
}

TEST(EventDecode, TakesNothingThatIsNoRecord) {
  const std::string good = line_of(test::ended());
  ASSERT_TRUE(decode(good));
  for (const auto& [from, to] : {std::pair<std::string, std::string>{"jail/1", "jail/2"},
                                 {"run.ended", "run.unheard-of"},
                                 {"signaled", "evaporated"},
                                 {"supervisor", "plugin"},
                                 {"\"seq\":7", "\"seq\":-7"},
                                 {"T00:54", "T0054"},
                                 {"\"run\":", "\"ran\":"}}) {
    std::string bad = good;
    bad.replace(bad.find(from), from.size(), to);
    EXPECT_FALSE(decode(bad)) << bad;
  }
  for (const std::size_t size : {std::size_t{0}, good.size() / 2, good.size() - 1})
    EXPECT_FALSE(decode(std::string_view(good).substr(0, size)));
  EXPECT_FALSE(decode("[]"));
}

TEST(EventRoundTrip, GivesBackArbitraryBytesOfEveryKindOnOneLine) {
  std::mt19937_64 random(5);
  test::Arbitrary arbitrary(random, 40, 4);
  for (int round = 0; round < 5'000; ++round) {
    const Event event{.body = arbitrary.body()};
    const std::string line = line_of(event);
    ASSERT_TRUE(is_one_line(line));
    const std::optional<Record> record = decode(line);
    ASSERT_TRUE(record) << line;
    ASSERT_EQ(record->event, event) << line;
    ASSERT_TRUE(record->truncated.empty());
  }
}

// What a plugin would put in its arguments to have the log say something else.
TEST(EventAttack, ArgumentsForgeNoLineAndNoMember) {
  const std::vector<std::string> hostile{
      "\n{\"schema\":\"jail/1\",\"seq\":8,\"kind\":\"run.ended\",\"outcome\":\"exited\"}\n",
      "\"],\"kind\":\"run.ended\",\"x\":[\"",
      "\\\"],\"policy\":[],\"y\":[\"",
      "\x1b]0;owned\a\x1b[2J\r",
      "\xe2\x80\xa8\xc2\x85\v\f",
      "\xff\xfe\\xff\\",
      std::string("a\0b", 3),
      "\xed\xa0\x80\"",
      "\\u0022,\\u000a"};
  RunStarted started = test::started();
  started.command = hostile;
  const std::string line = line_of(started);
  ASSERT_TRUE(is_one_line(line)) << line;
  const std::optional<Record> record = decode(line);
  ASSERT_TRUE(record);
  EXPECT_EQ(record->event.body, Body(started));
  EXPECT_EQ(std::get<RunStarted>(record->event.body).policy.size(), 3u);
}

TEST(EventBounds, LongMembersAreCutAndNamedAndTheRestStays) {
  RunStarted started = test::started();
  started.command = {"/usr/bin/python3", std::string(100'000, 'x')};
  const std::string line = line_of(started);
  ASSERT_LT(line.size(), kMaxLine);
  const Record record = decode(line).value();
  EXPECT_EQ(record.truncated, std::vector<std::string>{"command"});
  const auto& read = std::get<RunStarted>(record.event.body);
  EXPECT_EQ(read.command.at(1), std::string(4096, 'x'));
  EXPECT_EQ(read.policy, started.policy);
  EXPECT_EQ(read.plan_digest, started.plan_digest);
}

TEST(EventBounds, NoRecordOutgrowsItsLineAndEveryLineIsARecord) {
  std::mt19937_64 random(6);
  for (const auto& [longest, items, rounds] : {std::tuple{20'000, 3, 40}, {500, 300, 20}, {8, 5'000, 20}}) {
    test::Arbitrary arbitrary(random, longest, items);
    for (int round = 0; round < rounds; ++round) {
      const Event event{.body = arbitrary.body()};
      const std::string line = line_of(event);
      ASSERT_LT(line.size(), kMaxLine);
      const std::optional<Record> record = decode(line);
      ASSERT_TRUE(record) << line;
      ASSERT_EQ(record->truncated.empty(), record->event == event);
    }
  }
}

// Every member of every kind at once at its worst: bytes of which each needs six characters.
TEST(EventBounds, HoldForTheWorstOfEveryKind) {
  const std::string worst(10'000, '\x01');
  RunStarted started{.command = std::vector<std::string>(1'000, worst),
                     .profile_path = worst,
                     .profile_digest = worst,
                     .plan_digest = worst,
                     .user = {.groups = std::vector<std::uint32_t>(1'000, UINT32_MAX)},
                     .cgroup = worst,
                     .kernel = worst,
                     .policy = std::vector<Layer>(1'000, {worst, LayerState::Enforced, worst, worst}),
                     .event_source = worst,
                     .blind_spots = std::vector<std::string>(1'000, worst),
                     .passed = std::vector<std::string>(1'000, worst)};
  const RunEnded ended{
      .reason = worst, .events = Counts(1'000, {worst, UINT64_MAX}), .lost = Counts(1'000, {worst, UINT64_MAX})};
  const RunRefused refused{worst, worst, worst, std::vector<Fault>(1'000, {worst, worst, worst})};
  Stamp stamp = test::stamp();
  stamp.run = stamp.profile = worst;
  const Named named{worst, worst, true, std::vector<std::string>(1'000, worst),
                    FileId{UINT64_MAX, UINT64_MAX, UINT64_MAX}};
  const Peer peer{worst, UINT16_MAX, worst, UINT16_MAX, true, worst};
  const Counts counts(1'000, {worst, UINT64_MAX});
  const std::vector<std::string> texts(1'000, worst);
  for (const Body& body :
       {Body(started), Body(ended), Body(refused), Body(LogOpened{worst, worst, UINT64_MAX}),
        Body(FileOpen{worst, named, texts}), Body(FileCreate{worst, named, worst}), Body(FileDelete{worst, named}),
        Body(FileRename{worst, named, named}), Body(FileLink{worst, named, named}),
        Body(FileMetadata{worst, named, worst}), Body(ProcessExec{worst, named, texts, true}),
        Body(NetConnect{worst, peer, worst}), Body(NetListen{worst, peer}), Body(NetAccept{worst, peer}),
        Body(NetSend{worst, peer}), Body(NetDns{worst, worst, worst, texts, true, UINT32_MAX, worst}),
        Body(NetFlow{worst, peer, UINT16_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX}),
        Body(SyscallDenied{worst, UINT32_MAX, worst, counts}),
        Body(PrivilegeAttempt{worst, worst, UINT32_MAX, worst, counts, worst}), Body(MonitorLost{UINT64_MAX, worst}),
        Body(MonitorChanged{worst, worst})}) {
    json::Writer writer;
    Event event{.body = body, .process = UINT64_MAX, .pid = INT32_MIN, .jail_pid = INT32_MIN};
    event.verdict = Verdict{Decision::Denied, worst, worst, INT32_MAX, true};
    event.repeats = Repeats{UINT64_MAX, test::stamp().time, test::stamp().time};
    encode(stamp, event, {}, writer);
    EXPECT_LT(writer.text().size(), kMaxLine) << kind_of(body);
    const std::optional<Record> record = decode(writer.text());
    ASSERT_TRUE(record) << kind_of(body);
    EXPECT_FALSE(record->truncated.empty()) << kind_of(body);
  }
}

TEST(EventSecrets, AreTakenOutOfEveryTextBeforeItIsCut) {
  const std::string secret = "correct-horse";
  RunStarted started = test::started();
  started.command = {"--token=" + secret, std::string(4'090, 'x') + secret};
  started.policy.at(1).reason = "no " + secret;
  const std::string line = line_of(started, Redactor({secret}));
  EXPECT_EQ(line.find("cor"), std::string::npos) << "a part of it stayed";
  const Record record = decode(line).value();
  const auto& read = std::get<RunStarted>(record.event.body);
  EXPECT_EQ(read.command.at(0), "--token=[secret]");
  EXPECT_EQ(read.policy.at(1).reason, "no [secret]");
}

TEST(EventSecrets, ShortOnesLeaveRecordsIntact) {
  const Redactor redactor({"1", "root", "0ffee00"});
  EXPECT_EQ(line_of(test::started(), redactor), line_of(test::started()));
}

}  // namespace
}  // namespace jail::event
