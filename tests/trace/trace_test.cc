#include "scene.h"

namespace jail::trace {
namespace {

void end_by_signal() {
  const pid_t child = ::fork();
  if (child == 0) {
    (void)::kill(::getpid(), SIGKILL);
    ::_exit(98);
  }
  (void)::waitpid(child, nullptr, 0);
}

TEST_F(Trace, Process) {
  if (const std::string why = missing(Family::Process); !why.empty()) GTEST_SKIP() << why;
  const test::Scratch scratch;
  std::filesystem::copy_file("/bin/true", scratch / "program");
  std::filesystem::create_symlink("program", scratch / "link");
  const Outcome outcome = watch({.families = {Family::Process},
                                 .what = JAIL_WANT_PROCESS,
                                 .inside =
                                     [&] {
                                       run_program((scratch / "link").c_str(), "a word");
                                       end_by_signal();
                                     },
                                 .outside = [] { run_program("/bin/false", "a stranger's"); }});
  const auto executed = outcome.told.of<event::ProcessExec>();
  ASSERT_EQ(executed.size(), 1U);
  const auto& [exec, told] = executed.front();
  EXPECT_EQ(exec.named.path, scratch / "program");
  EXPECT_EQ(exec.named.requested, scratch / "link");
  EXPECT_EQ(exec.argv, (std::vector<std::string>{scratch / "link", "a word"}));
  EXPECT_EQ(told.source, event::Source::Ebpf);
  EXPECT_EQ(told.jail_pid, 3);
  EXPECT_GT(told.pid.value_or(0), 3);
  struct stat status {};
  ASSERT_EQ(::stat((scratch / "program").c_str(), &status), 0);
  ASSERT_TRUE(exec.named.file);
  EXPECT_EQ(exec.named.file->inode, status.st_ino);
  EXPECT_EQ(exec.named.file->device, status.st_dev);

  const auto ended = outcome.told.of<event::ProcessExit>();
  ASSERT_EQ(ended.size(), 3U);
  EXPECT_EQ(ended[0].first, (event::ProcessExit{.exit = 0}));
  EXPECT_EQ(ended[1].first, (event::ProcessExit{.signal = SIGKILL}));
  EXPECT_EQ(ended[2].first, (event::ProcessExit{.exit = 7}));
  EXPECT_EQ(ended[2].second.jail_pid, 2);
  EXPECT_EQ(outcome.told.size(), 4U);
  EXPECT_EQ(outcome.lost, 0U);
}

// What is done in a folder, by every way that has a kind of event.
void change_files(const std::string& folder) {
  check(::chdir(folder.c_str()), "chdir");
  ::close(::open("new", O_WRONLY | O_CREAT | O_TRUNC, 0600));
  ::close(::open("old", O_RDONLY));
  (void)!::mkdir("folder", 0700);
  (void)!::rename("new", "folder/moved");
  (void)!::link("old", "second");
  (void)!::symlink("../text", "third");
  (void)!::chmod("old", 0640);
  (void)!::truncate("folder/moved", 0);
  (void)!::unlink("second");
}

template <typename Body>
bool is_told(const Told& told, const std::string& path, event::Verdict verdict) {
  const event::Event* found = told.find<Body>([&](const Body& body) { return body.named.path == path; });
  if (found == nullptr) return false;
  EXPECT_EQ(found->verdict, verdict) << path;
  return true;
}

void expect_changes(const Told& told, const std::string& in, event::Verdict of_open, event::Verdict of_change) {
  EXPECT_TRUE(is_told<event::FileOpen>(told, in + "/new", of_open));
  EXPECT_TRUE(is_told<event::FileOpen>(told, in + "/old", of_open));
  EXPECT_TRUE(is_told<event::FileCreate>(told, in + "/folder", of_change));
  EXPECT_TRUE(is_told<event::FileRename>(told, in + "/new", of_change));
  EXPECT_TRUE(is_told<event::FileLink>(told, in + "/second", of_change));
  EXPECT_TRUE(is_told<event::FileLink>(told, in + "/third", of_change));
  EXPECT_TRUE(is_told<event::FileMetadata>(told, in + "/old", of_change));
  EXPECT_TRUE(is_told<event::FileOpen>(told, in + "/folder/moved", of_change));
  EXPECT_TRUE(is_told<event::FileDelete>(told, in + "/second", of_change));
  const auto renamed = told.of<event::FileRename>();
  const auto linked = told.of<event::FileLink>();
  ASSERT_EQ(renamed.size(), 1U);
  ASSERT_EQ(linked.size(), 2U);
  EXPECT_EQ(renamed[0].first.to.path, in + "/folder/moved");
  EXPECT_EQ(linked[0].first.target.path, in + "/old");
  EXPECT_EQ(linked[1].first.target.path, "../text");
  const event::Event* opened =
      told.find<event::FileOpen>([&](const event::FileOpen& body) { return body.named.path == in + "/new"; });
  ASSERT_NE(opened, nullptr);
  EXPECT_EQ(std::get<event::FileOpen>(opened->body).access, (std::vector<std::string>{"write", "create", "truncate"}));
  EXPECT_EQ(told.find<event::FileOpen>([](const event::FileOpen& body) { return body.named.path == "/etc/hostname"; }),
            nullptr);
}

class Files : public Trace, public ::testing::WithParamInterface<Family> {
 protected:
  void SetUp() override {
    Trace::SetUp();
    if (IsSkipped()) return;
    if (const std::string why = missing(GetParam()); !why.empty()) GTEST_SKIP() << why;
  }
  [[nodiscard]] Outcome told_of(std::function<void()> inside, std::uint32_t what = kFiles) const {
    return watch({.families = {GetParam()},
                  .what = what,
                  .inside = std::move(inside),
                  .outside = [] { ::close(::open("/etc/hostname", O_RDONLY)); }});
  }
};

TEST_P(Files, EachChangeIsTold) {
  const test::Scratch scratch;
  std::ofstream(scratch / "old") << "text";
  const Outcome outcome = told_of([&] { change_files(scratch.path()); });
  expect_changes(outcome.told, scratch.path(), {}, {.predicted = GetParam() == Family::FileHooks});
  EXPECT_EQ(outcome.lost, 0U);
}

TEST_P(Files, OnlyWhatIsWantedIsTold) {
  const test::Scratch scratch;
  std::ofstream(scratch / "old") << "text";
  const Outcome outcome = told_of([&] { change_files(scratch.path()); }, JAIL_WANT_CHANGES);
  EXPECT_TRUE(is_told<event::FileOpen>(outcome.told, scratch / "new", {}));
  EXPECT_FALSE(is_told<event::FileOpen>(outcome.told, scratch / "old", {}));
}

TEST_P(Files, ThePathIsThatOfTheViewAndSaysWhatIsOdd) {
  test::Scratch scratch;
  scratch.folder("root/deep");
  std::ofstream(scratch / "root/deep/seen") << "text";
  std::ofstream(scratch / "unseen") << "text";
  ASSERT_EQ(::symlink("deep/seen", (scratch / "root/link").c_str()), 0);
  const Outcome outcome = told_of([&] {
    const int above = ::open(scratch.path().c_str(), O_RDONLY | O_DIRECTORY);
    const int open = ::open((scratch / "root/deep/seen").c_str(), O_RDONLY);
    const int self = ::open("/proc/self/fd", O_RDONLY | O_DIRECTORY);
    check(::chroot((scratch / "root").c_str()), "chroot");
    check(::chdir("/"), "chdir");
    ::close(::open("link", O_RDONLY));
    ::close(::openat(above, "unseen", O_RDONLY));
    (void)!::unlink("/deep/seen");
    ::close(::openat(self, std::to_string(open).c_str(), O_RDONLY));
  });
  auto opened = outcome.told.of<event::FileOpen>();
  std::erase_if(opened, [](const auto& told) { return told.first.call == "chdir"; });  // which has no hook
  ASSERT_EQ(opened.size(), 6U);
  EXPECT_EQ(opened[3].first.named.path, "/deep/seen");
  EXPECT_TRUE(opened[3].first.named.marks.empty());
  EXPECT_TRUE(opened[4].first.named.path.ends_with("/unseen"));
  EXPECT_EQ(opened[4].first.named.marks, std::vector<std::string>{"outside"});
  EXPECT_EQ(opened[5].first.named.path, "/deep/seen");
  EXPECT_EQ(opened[5].first.named.marks, std::vector<std::string>{"deleted"});
}

TEST_P(Files, ADepthBeyondTheBoundIsSaid) {
  const test::Scratch scratch;
  const Outcome outcome = told_of([&] {
    check(::chdir(scratch.path().c_str()), "chdir");
    for (int i = 0; i <= JAIL_DEPTH; ++i) {
      (void)!::mkdir("d", 0700);
      check(::chdir("d"), "chdir");
    }
    ::close(::open("file", O_WRONLY | O_CREAT, 0600));
  });
  const auto opened = outcome.told.of<event::FileOpen>();
  ASSERT_FALSE(opened.empty());
  EXPECT_EQ(opened.back().first.named.marks, std::vector<std::string>{"truncated"});
  EXPECT_TRUE(opened.back().first.named.path.ends_with("/d/d/file"));
}

// Whatever does not fit is counted, to the last one.
TEST_P(Files, AFloodIsToldOrCounted) {
  constexpr std::size_t kOpens = 20'000;
  constexpr std::uint32_t kSmallRing = 1U << 16;
  std::promise<void> ended;
  const Outcome outcome = watch({.families = {GetParam()},
                                 .what = kFiles,
                                 .inside =
                                     [] {
                                       for (std::size_t i = 0; i < kOpens; ++i)
                                         ::close(::open("/etc/passwd", O_RDONLY));
                                     },
                                 .ring_bytes = kSmallRing,
                                 .log_waits = ended.get_future().share()},
                                &ended);
  const std::size_t told = outcome.told.of<event::FileOpen>().size();
  EXPECT_GT(told, 0U);
  EXPECT_GT(outcome.lost, 0U);
  EXPECT_EQ(told + outcome.lost, kOpens);
  std::uint64_t said = 0;
  for (const auto& [lost, event] : outcome.told.of<event::MonitorLost>()) said += lost.count;
  EXPECT_EQ(said, outcome.lost);
}

INSTANTIATE_TEST_SUITE_P(, Files, ::testing::Values(Family::FileExit, Family::FileHooks),
                         [](const auto& family) { return std::string(name_of(family.param)); });

// Only the end of a call tells what did not come about, and what was only looked at.
TEST_F(Trace, FailuresSayWhatWasAskedFor) {
  if (const std::string why = missing(Family::FileExit); !why.empty()) GTEST_SKIP() << why;
  test::Scratch scratch;
  scratch.folder("in");
  const Outcome outcome = watch({.families = {Family::FileExit}, .what = kFiles, .inside = [&] {
    const int folder = ::open((scratch / "in").c_str(), O_PATH | O_DIRECTORY);
    ::close(::openat(folder, "../none/./x", O_RDONLY));
    struct stat status {};
    (void)!::stat(scratch.path().c_str(), &status);
    ::execl("/nonexistent", "x", nullptr);
    check(::setresuid(65534, 65534, 65534), "setresuid");
    ::close(::open("/etc/shadow", O_RDONLY));
    const char* nowhere = reinterpret_cast<const char*>(8);
    (void)::syscall(SYS_open, nowhere, O_RDONLY);
  }});
  const auto opened = outcome.told.of<event::FileOpen>();
  ASSERT_EQ(opened.size(), 5U);
  EXPECT_EQ(opened[1].first.named.path, scratch / "none/x");
  EXPECT_EQ(opened[1].first.named.requested, "../none/./x");
  EXPECT_EQ(opened[1].second.verdict, (event::Verdict{.decision = event::Decision::Failed, .error = ENOENT}));
  EXPECT_EQ(opened[2].first.access, std::vector<std::string>{"stat"});
  EXPECT_EQ(opened[2].first.named.path, scratch.path());
  EXPECT_EQ(opened[3].first.named.path, "/etc/shadow");
  EXPECT_EQ(opened[3].second.verdict, (event::Verdict{.decision = event::Decision::Denied, .error = EACCES}));
  EXPECT_TRUE(opened[4].first.named.unknown);
  const auto executed = outcome.told.of<event::ProcessExec>();
  ASSERT_EQ(executed.size(), 1U);
  EXPECT_EQ(executed[0].first.named.path, "/nonexistent");
  EXPECT_EQ(executed[0].second.verdict, (event::Verdict{.decision = event::Decision::Failed, .error = ENOENT}));
}

// Landlock is asked before the programs of the hooks are: they say nothing, the end of the question does.
TEST_F(Trace, WhatLandlockDenies) {
  if (const std::string why = missing(Family::Denied); !why.empty()) GTEST_SKIP() << why;
  const test::Scratch scratch;
  std::ofstream(scratch / "old") << "text";
  const auto try_all = [&] {
    confine_to(scratch.path());
    change_files(scratch.path());
    ::execl("/bin/true", "true", nullptr);
  };
  const Outcome outcome = watch({.families = {Family::FileHooks, Family::Denied},
                                 .what = kFiles,
                                 .inside = try_all,
                                 .outside = [&] {
                                   const pid_t stranger = ::fork();
                                   if (stranger == 0) try_all(), ::_exit(0);
                                   (void)::waitpid(stranger, nullptr, 0);
                                 }});
  const event::Verdict denied{.decision = event::Decision::Denied, .error = EACCES};
  const std::string in = scratch.path();
  EXPECT_TRUE(is_told<event::FileOpen>(outcome.told, in + "/old", {}));
  EXPECT_TRUE(is_told<event::FileCreate>(outcome.told, in + "/folder", denied));
  EXPECT_TRUE(is_told<event::FileLink>(outcome.told, in + "/third", denied));
  EXPECT_TRUE(is_told<event::ProcessExec>(outcome.told, std::filesystem::canonical("/bin/true"), denied));
  EXPECT_FALSE(std::filesystem::exists(in + "/folder"));
}

TEST_F(Trace, PowerThatIsNotGiven) {
  if (const std::string why = missing(Family::Privilege); !why.empty()) GTEST_SKIP() << why;
  const auto want_power = [] {
    (void)!::setuid(0);  // as root: given
    check(::setresuid(65534, 65534, 65534), "setresuid");
    (void)!::setuid(0);
    (void)!::mount("none", "/mnt", "tmpfs", 0, nullptr);
    ::close(::open("/etc/shadow", O_RDONLY));  // wants a capability, too; told as a file
  };
  const Outcome outcome = watch({.families = {Family::Privilege},
                                 .what = JAIL_WANT_PRIVILEGE,
                                 .inside = want_power,
                                 .outside = [&] {
                                   const pid_t stranger = ::fork();
                                   if (stranger == 0) want_power(), ::_exit(0);
                                   (void)::waitpid(stranger, nullptr, 0);
                                 }});
  const auto attempts = outcome.told.of<event::PrivilegeAttempt>();
  ASSERT_EQ(attempts.size(), 2U);
  EXPECT_EQ(attempts[0].first,
            (event::PrivilegeAttempt{"setuid", "setuid", SYS_setuid, "", {}, "CAP_SETUID"}));
  EXPECT_EQ(attempts[1].first, (event::PrivilegeAttempt{"mount", "mount", SYS_mount, "", {}, "CAP_SYS_ADMIN"}));
  EXPECT_EQ(attempts[0].second.jail_pid, 2);
  EXPECT_EQ(attempts[0].second.verdict,
            (event::Verdict{event::Decision::Denied, "permission", "default", EPERM}));
}

TEST(TraceOfAnOrdinaryUser, SaysWhyThereIsNone) {
  const pid_t child = ::fork();
  if (child == 0) {
    if (::geteuid() == 0 && ::setresuid(65534, 65534, 65534) != 0) ::_exit(2);
    const Tracer tracer = Tracer::open(all_families());
    bool right = true;
    for (const std::string& why : tracer.support().missing) right &= why == "needs root, or CAP_BPF and CAP_PERFMON";
    ::_exit(right ? 0 : 1);
  }
  int status = -1;
  (void)::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace jail::trace
