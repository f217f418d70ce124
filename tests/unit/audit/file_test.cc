// Logs in files: what they must refuse to be, and that what was written stays readable whatever happens.
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/resource.h>

#include <map>

#include "event/encode.h"
#include "scene.h"

namespace jail::audit {
namespace {

using test::kCannotTry;
using test::kFails;
using test::kHolds;
using test::Scratch;

mode_t mode_of(const std::string& path) {
  struct stat status {};
  return ::lstat(path.c_str(), &status) == 0 ? status.st_mode : 0;
}

TEST(AuditFile, IsMadeForItsOwnerAloneAndBeginsWithLogOpened) {
  const Scratch scratch;
  auto opened = test::open_log(File{scratch / "log.jsonl"});
  ASSERT_EQ(test::problem_of(opened), "");
  ASSERT_FALSE(std::get<Log>(opened).append(test::ended()));
  EXPECT_EQ(mode_of(scratch / "log.jsonl"), mode_t{S_IFREG | 0600});
  const std::vector<std::string> lines = test::lines_of(test::content(scratch / "log.jsonl"));
  ASSERT_EQ(lines.size(), 2u);
  const event::Record first = event::decode(lines[0]).value();
  EXPECT_EQ(first.event.body, event::Body(event::LogOpened{.profile_path = test::kIdentity.profile_path}));
  EXPECT_EQ(first.stamp.seq, 1u);
  EXPECT_EQ(first.stamp.run, test::kIdentity.run);
  EXPECT_EQ(first.stamp.profile, "acme-crm");
  const event::Record second = event::decode(lines[1]).value();
  EXPECT_EQ(second.stamp.seq, 2u);
  EXPECT_GE(second.stamp.mono_ns, first.stamp.mono_ns);
}

TEST(AuditFile, IsAppendedToAndOpenedOnce) {
  const Scratch scratch;
  ASSERT_EQ(test::problem_of(test::open_log(File{scratch / "log"})), "");
  const std::string before = test::content(scratch / "log");
  auto opened = test::open_log(File{scratch / "log"});
  ASSERT_FALSE(std::get<Log>(opened).append(test::ended()));
  const std::string after = test::content(scratch / "log");
  EXPECT_TRUE(after.starts_with(before));
  EXPECT_EQ(test::lines_of(after).size(), 2u);
  EXPECT_EQ(event::decode(test::lines_of(after).at(1)).value().stamp.seq, 1u);
}

TEST(AuditFile, CountsWhatItWrote) {
  const Scratch scratch;
  auto opened = test::open_log(File{scratch / "log"});
  Log& log = std::get<Log>(opened);
  ASSERT_FALSE(log.append(test::ended()));
  ASSERT_FALSE(log.append(test::ended()));
  EXPECT_EQ(log.events_by_kind(), (event::Counts{{"run.ended", 2}, {"log.opened", 1}}));
  EXPECT_EQ(log.lost(), event::Counts{});
}

TEST(AuditFile, TellsWhenAnEarlierEventHappened) {
  const Scratch scratch;
  auto opened = test::open_log(File{scratch / "log"});
  event::Event event = test::ended();
  const std::uint64_t now = clock::boottime_ns();
  event.mono_ns = now - 5'000'000'000;
  ASSERT_FALSE(std::get<Log>(opened).append(event));
  const event::Record record = event::decode(test::lines_of(test::content(scratch / "log")).at(1)).value();
  EXPECT_EQ(record.stamp.mono_ns, event.mono_ns);
  const auto ago = clock::wall_now() - record.stamp.time;
  EXPECT_GE(ago, std::chrono::seconds(5));
  EXPECT_LT(ago, std::chrono::seconds(15));
}

TEST(AuditFile, FollowsNoLinkNeitherAtTheEndNorOnTheWay) {
  const Scratch scratch;
  test::put(scratch / "victim", "");
  ASSERT_EQ(::symlink("victim", (scratch / "log").c_str()), 0);
  EXPECT_NE(test::problem_of(test::open_log(File{scratch / "log"})).find("symbolic links"), std::string::npos);
  ASSERT_EQ(::symlink("nowhere", (scratch / "dangling").c_str()), 0);
  EXPECT_NE(test::problem_of(test::open_log(File{scratch / "dangling"})), "");
  ASSERT_EQ(::mkdir((scratch / "real").c_str(), 0700), 0);
  ASSERT_EQ(::symlink("real", (scratch / "folder").c_str()), 0);
  EXPECT_NE(test::problem_of(test::open_log(File{scratch / "folder/log"})), "");
  EXPECT_EQ(test::problem_of(test::open_log(File{scratch / "real/log"})), "");  // control
  EXPECT_EQ(test::content(scratch / "victim"), "");
  EXPECT_EQ(mode_of(scratch / "nowhere"), 0u);
}

TEST(AuditFile, HasOneNameOneOwnerAndNoOtherWriter) {
  const Scratch scratch;
  test::put(scratch / "victim", "");
  ASSERT_EQ(::chmod((scratch / "victim").c_str(), 0600), 0);
  ASSERT_EQ(::link((scratch / "victim").c_str(), (scratch / "log").c_str()), 0);
  EXPECT_NE(test::problem_of(test::open_log(File{scratch / "log"})).find("hard links"), std::string::npos);
  ASSERT_EQ(::unlink((scratch / "log").c_str()), 0);
  EXPECT_EQ(test::content(scratch / "victim"), "");

  Home stranger = test::me();
  stranger.euid += 1;
  const auto opened = open(test::kIdentity, {File{scratch / "victim"}}, stranger);
  EXPECT_NE(test::problem_of(opened).find("belongs to uid"), std::string::npos);

  ASSERT_EQ(::chmod((scratch / "victim").c_str(), 0620), 0);
  EXPECT_NE(test::problem_of(test::open_log(File{scratch / "victim"})).find("others may write"), std::string::npos);
  ASSERT_EQ(::chmod((scratch / "victim").c_str(), 0640), 0);
  EXPECT_EQ(test::problem_of(test::open_log(File{scratch / "victim"})), "");  // control
}

TEST(AuditFile, RefusesFoldersAndWhatDoesNotExist) {
  const Scratch scratch;
  EXPECT_NE(test::problem_of(test::open_log(File{scratch.path()})), "");
  EXPECT_NE(test::problem_of(test::open_log(File{scratch.path() + "/"})).find("names a folder"), std::string::npos);
  EXPECT_NE(test::problem_of(test::open_log(File{scratch / "missing/log"})).find("No such file"), std::string::npos);
  EXPECT_NE(test::problem_of(test::open_log(File{""})), "");
}

TEST(AuditFile, TakesAFifoThatSomebodyReadsAndWaitsForNobody) {
  const Scratch scratch;
  ASSERT_EQ(::mkfifo((scratch / "fifo").c_str(), 0600), 0);
  EXPECT_NE(test::problem_of(test::open_log(File{scratch / "fifo"})).find("o such device"), std::string::npos);
  const Fd reader(::open((scratch / "fifo").c_str(), O_RDONLY | O_NONBLOCK));
  auto opened = test::open_log(File{scratch / "fifo"});
  ASSERT_EQ(test::problem_of(opened), "");
  ASSERT_FALSE(std::get<Log>(opened).append(test::ended()));
  std::string got(4096, '\0');
  got.resize(static_cast<std::size_t>(::read(reader.get(), got.data(), got.size())));
  ASSERT_EQ(test::lines_of(got).size(), 1u);
  EXPECT_TRUE(event::decode(test::lines_of(got).at(0)));
}

TEST(AuditFile, DoesNotRunIntoATornRecord) {
  const Scratch scratch;
  test::put(scratch / "log", R"({"schema":"jail/1","seq":1,"ti)");
  ASSERT_EQ(::chmod((scratch / "log").c_str(), 0600), 0);
  auto opened = test::open_log(File{scratch / "log"});
  ASSERT_EQ(test::problem_of(opened), "");
  ASSERT_FALSE(std::get<Log>(opened).append(test::ended()));
  ASSERT_FALSE(std::get<Log>(opened).append(test::ended()));
  const std::vector<std::string> lines = test::lines_of(test::content(scratch / "log"));
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_FALSE(event::decode(lines[0]));
  EXPECT_TRUE(event::decode(lines[1]));
  EXPECT_TRUE(event::decode(lines[2]));
}

// Two runs on one file: no record of one inside a record of the other, none missing, each in its order.
TEST(AuditFile, KeepsTheRecordsOfTwoProcessesApart) {
  const Scratch scratch;
  constexpr int kRecords = 2'000;
  const auto write_all = [&](const std::string& run) {
    audit::Identity identity = test::kIdentity;
    identity.run = run;
    auto opened = test::open_log(File{scratch / "log"}, identity);
    if (!test::problem_of(opened).empty()) return kFails;
    for (std::size_t index = 0; index < kRecords; ++index)
      if (std::get<Log>(opened).append(test::ended(index * 37 % 4'000))) return kFails;
    return kHolds;
  };
  const pid_t other = ::fork();
  if (other == 0) ::_exit(write_all("bbbb"));
  EXPECT_EQ(write_all("aaaa"), kHolds);
  int status = 0;
  ::waitpid(other, &status, 0);
  EXPECT_EQ(status, 0);
  std::map<std::string, std::uint64_t> last;
  for (const std::string& line : test::lines_of(test::content(scratch / "log"))) {
    if (line.empty()) continue;  // the second took a record that the first was just writing for a torn one
    const std::optional<event::Record> record = event::decode(line);
    ASSERT_TRUE(record) << line;
    ASSERT_EQ(record->stamp.seq, ++last[record->stamp.run]);
  }
  EXPECT_GE(last["aaaa"], kRecords);
  EXPECT_GE(last["bbbb"], kRecords);
}

TEST(AuditFile, SaysThatTheDiskIsFullAndGoesOnWhenItIsNot) {
  const Scratch scratch;
  const int verdict = test::in_child([&] {
    if (!test::enter_own_view() || ::mount("none", scratch.path().c_str(), "tmpfs", 0, "size=64k,mode=0700") != 0)
      return kCannotTry;
    test::put(scratch / "filler", std::string(40'000, 'f'));
    auto opened = test::open_log(File{scratch / "log"});
    Log& log = std::get<Log>(opened);
    std::optional<WriteError> error;
    int written = 0;
    for (; written < 100 && !error; ++written) error = log.append(test::ended(3'000));
    if (!error || error->error != ENOSPC || log.lost() != event::Counts{{scratch / "log", 1}}) return kFails;
    if (!log.append(test::ended(3'000)) || log.lost().at(0).second != 2) return kFails;
    if (::unlink((scratch / "filler").c_str()) != 0 || log.append(test::ended())) return kFails;
    std::vector<std::string> lines = test::lines_of(test::content(scratch / "log"));
    const event::Record last = event::decode(lines.back()).value();
    lines.pop_back();
    if (!event::decode(lines.back())) lines.pop_back();  // what of the lost record still had room
    for (const std::string& line : lines)
      if (!event::decode(line)) return kFails;
    // log.opened, what was written but for the one that failed, two lost: their numbers are gone.
    return lines.size() == static_cast<std::size_t>(written) && last.stamp.seq == lines.size() + 3 ? kHolds : kFails;
  });
  if (verdict == kCannotTry) GTEST_SKIP() << "no tmpfs: neither root nor user namespaces";
  EXPECT_EQ(verdict, kHolds);
}

// A reserve that others cannot have is left for what says how the run ended.
TEST(AuditFile, KeepsRoomOnAFullDiskForTheEndOfTheRun) {
  const Scratch scratch;
  const int verdict = test::in_child([&] {
    if (!test::enter_own_view() || ::mount("none", scratch.path().c_str(), "tmpfs", 0, "size=256k,mode=0700") != 0)
      return kCannotTry;
    auto opened = test::open_log(File{scratch / "log"});
    Log& log = std::get<Log>(opened);
    log.start();
    test::put(scratch / "filler", std::string(400'000, 'f'));
    std::optional<WriteError> error;
    for (int written = 0; written < 1'000 && !error; ++written) error = log.append(test::denied("/srv/secret"));
    if (!error || error->error != ENOSPC) return kFails;
    for (int more = 0; more < 1'000; ++more)
      if (!log.append(test::denied("/srv/secret"))) return kFails;
    if (log.lost().at(0).second != 1'001 || log.append(test::ended(8'000))) return kFails;
    for (const std::string& line : test::lines_of(test::content(scratch / "log")))
      if (!event::decode(line)) return kFails;
    return kHolds;
  });
  if (verdict == kCannotTry) GTEST_SKIP() << "no tmpfs: neither root nor user namespaces";
  EXPECT_EQ(verdict, kHolds);
}

TEST(AuditFile, SaysThatALimitIsReachedInsteadOfDyingOfIt) {
  const Scratch scratch;
  const int verdict = test::in_child([&] {
    const rlimit limit{.rlim_cur = 5'000, .rlim_max = 5'000};
    if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) return kCannotTry;
    auto opened = test::open_log(File{scratch / "log"});
    Log& log = std::get<Log>(opened);
    if (log.append(test::ended(3'000))) return kFails;
    const std::optional<WriteError> error = log.append(test::ended(3'000));
    return error && error->error == EFBIG ? kHolds : kFails;
  });
  EXPECT_EQ(verdict, kHolds);
}

TEST(AuditFile, OutlivesTheMoveIntoAnEmptyRoot) {
  const Scratch scratch;
  ASSERT_EQ(::mkdir((scratch / "empty").c_str(), 0700), 0);
  const int verdict = test::in_child([&] {
    auto opened = test::open_log(File{scratch / "log"});
    Log& log = std::get<Log>(opened);
    if (!test::enter_own_view() || ::chroot((scratch / "empty").c_str()) != 0 || ::chdir("/") != 0) return kCannotTry;
    if (::access((scratch / "log").c_str(), F_OK) == 0 || log.append(test::ended())) return kFails;
    const int folder = log.descriptors().at(1);
    return ::renameat(folder, "log", folder, "log.1") == 0 && !log.append(test::ended()) ? kHolds : kFails;
  });
  if (verdict == kCannotTry) GTEST_SKIP() << "no chroot: neither root nor user namespaces";
  EXPECT_EQ(verdict, kHolds);
  EXPECT_EQ(test::lines_of(test::content(scratch / "log.1")).size(), 3u);
}

// --- the default file

// Root's default is one place of the machine, so these run as somebody else.
int as_user_of(const Scratch& scratch, const std::function<int()>& body) {
  return test::in_child([&] {
    constexpr uid_t kSomebody = 12'345;
    if (::geteuid() == 0 &&
        (::chown(scratch.path().c_str(), kSomebody, kSomebody) != 0 ||
         ::setresgid(kSomebody, kSomebody, kSomebody) != 0 || ::setresuid(kSomebody, kSomebody, kSomebody) != 0))
      return kCannotTry;
    return body();
  });
}

std::variant<Log, Problem> open_default(const std::string& state_home, const std::string& home = "") {
  return open(test::kIdentity, {DefaultFile{}}, {::geteuid(), state_home, home});
}

TEST(AuditDefault, MakesItsFoldersForItsOwnerAlone) {
  const Scratch scratch;
  const std::string file = default_file_name("acme-crm", test::kIdentity.profile_path);
  const int verdict = as_user_of(scratch, [&] {
    ::umask(0);
    auto opened = open_default("", scratch.path());
    const bool made = test::problem_of(opened).empty() && !std::get<Log>(opened).append(test::ended());
    const std::string state = scratch / ".local/state";
    for (const std::string& folder : {scratch / ".local", state, state + "/jail", state + "/jail/log"})
      if (mode_of(folder) != (S_IFDIR | 0700)) return kFails;
    return made && mode_of(state + "/jail/log/" + file) == (S_IFREG | 0600) ? kHolds : kFails;
  });
  EXPECT_EQ(verdict, kHolds);
}

TEST(AuditDefault, RefusesFoldersThatOthersMayWriteOrThatAreLinks) {
  const Scratch scratch;
  const int verdict = as_user_of(scratch, [&] {
    const auto says = [&](const std::string& words) {
      return test::problem_of(open_default(scratch.path())).find(words) != std::string::npos;
    };
    ::umask(0);
    if (::mkdir((scratch / "jail").c_str(), 0777) != 0 || !says("others may write")) return kFails;
    if (::rmdir((scratch / "jail").c_str()) != 0 || ::mkdir((scratch / "elsewhere").c_str(), 0700) != 0) return kFails;
    if (::symlink("elsewhere", (scratch / "jail").c_str()) != 0 || !says("symbolic links")) return kFails;
    if (::unlink((scratch / "jail").c_str()) != 0 || test::problem_of(open_default(scratch.path())) != "")
      return kFails;
    return ::chmod((scratch / "jail/log").c_str(), 0720) == 0 && says("others may write") ? kHolds : kFails;
  });
  EXPECT_EQ(verdict, kHolds);
}

TEST(AuditDefault, RefusesAStateHomeOfSomebodyElse) {
  const Scratch scratch;
  const int verdict = as_user_of(scratch, [&] {
    const bool foreign = test::problem_of(open_default("/etc")).find("belongs to uid 0") != std::string::npos;
    const bool open_to_all = test::problem_of(open_default("/tmp")) != "";
    return foreign && open_to_all ? kHolds : kFails;
  });
  EXPECT_EQ(verdict, kHolds);
}

TEST(AuditDefault, RefusesAFifoInItsPlaceWithoutWaiting) {
  const Scratch scratch;
  const std::string file = "/jail/log/" + default_file_name("acme-crm", test::kIdentity.profile_path);
  const int verdict = as_user_of(scratch, [&] {
    if (test::problem_of(open_default(scratch.path())) != "") return kFails;
    if (::unlink((scratch.path() + file).c_str()) != 0 || ::mkfifo((scratch.path() + file).c_str(), 0600) != 0)
      return kFails;
    const Fd reader(::open((scratch.path() + file).c_str(), O_RDONLY | O_NONBLOCK));
    const std::string message = test::problem_of(open_default(scratch.path()));
    return message.find("not a regular file") != std::string::npos ? kHolds : kFails;
  });
  EXPECT_EQ(verdict, kHolds);
}

TEST(AuditDefault, FollowsTheEnvironmentOnlyWhereItIsAbsolute) {
  const auto folder = [](const Home& home) { return std::get<std::string>(default_folder(home)); };
  EXPECT_EQ(folder({0, "/x", "/root"}), "/var/log/jail");
  EXPECT_EQ(folder({1001, "/x/", "/home/u"}), "/x/jail/log");
  EXPECT_EQ(folder({1001, "", "/home/u"}), "/home/u/.local/state/jail/log");
  EXPECT_TRUE(std::holds_alternative<Problem>(default_folder({1001, "x", "/home/u"})));
  EXPECT_TRUE(std::holds_alternative<Problem>(default_folder({1001, "", "home"})));
  EXPECT_TRUE(std::holds_alternative<Problem>(default_folder({1001, "", ""})));
}

TEST(AuditDefault, GivesProfilesOfOneNameAtTwoPlacesTwoFiles) {
  const std::string ours = default_file_name("crm", "/etc/jail/profiles/crm.yaml");
  const std::string theirs = default_file_name("crm", "/tmp/stranger/crm.yaml");
  EXPECT_NE(ours, theirs);
  EXPECT_EQ(ours, default_file_name("crm", "/etc/jail/./profiles/crm.yaml"));
  EXPECT_TRUE(ours.starts_with("crm-"));
  EXPECT_EQ(ours.size(), std::string("crm-0123456789abcdef.jsonl").size());
}

TEST(AuditDefault, GivesABrokenProfileAFileNameToo) {
  EXPECT_TRUE(default_file_name("", "/x").starts_with("unnamed-"));
  EXPECT_TRUE(default_file_name("../../etc/pass\nwd", "/x").starts_with("_._.._etc_pass_wd-"));
  EXPECT_LT(default_file_name(std::string(1'000, 'a'), "/x").size(), 255u);
}

}  // namespace
}  // namespace jail::audit
