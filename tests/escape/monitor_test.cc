// The source of events under attack (SECURITY B2, B3, B5, B8 to B10): it tells each attempt, tells it once, says what
// it could not see, and keeps nobody from ending a jail.
#include <gtest/gtest.h>

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "case.h"
#include "scene.h"

namespace jail::test {
namespace {

class Monitor : public testing::TestWithParam<Launcher> {
 protected:
  void SetUp() override {
    if (GetParam() == Launcher::Root && !is_root()) GTEST_SKIP() << "only root launches as root";
    adopt_orphans();
  }
};

bool has(const std::string& record, const std::string& text) { return record.find(text) != std::string::npos; }

// The number behind a member's name, or `otherwise`.
long number_in(const std::string& record, const std::string& name, long otherwise) {
  const std::size_t at = record.find("\"" + name + "\":");
  return at == std::string::npos ? otherwise : std::atol(record.c_str() + at + name.size() + 3);
}

// How many attempts the records that hold all of these texts stand for.
long told(const std::vector<std::string>& log, const std::vector<std::string>& texts) {
  long sum = 0;
  for (const std::string& record : log)
    if (std::all_of(texts.begin(), texts.end(), [&](const std::string& text) { return has(record, text); }))
      sum += number_in(record, "count", 1);
  return sum;
}

std::string last(const std::vector<std::string>& log) { return log.empty() ? "" : log.back(); }

TEST_P(Monitor, TheFolderOfAProcessIsThatOfItsFirstThread) {
  Scene scene(GetParam());
  Profile profile = usual_grants();
  profile.more = "monitor: {source: notify, files: all}\n";
  const Outcome outcome = run(scene.in_jail(profile, {"thread-elsewhere", "/tmp", "{read}/public"}));
  EXPECT_EQ(verdict_of(outcome).kind, Verdict::Kind::Allowed) << describe(outcome);
  EXPECT_EQ(told(scene.log_lines(), {"\"" + scene.at("{read}/public").string() + "\"", "/proc/self/cwd"}), 1);
  const Outcome refused = run(scene.in_jail(profile, {"thread-elsewhere", "/tmp", "/etc/shadow"}));
  EXPECT_EQ(verdict_of(refused).kind, Verdict::Kind::Denied) << describe(refused);
  EXPECT_EQ(told(scene.log_lines(), {"\"/etc/shadow\"", "\"denied\""}), 1);
}

TEST_P(Monitor, Openat2IsTold) {
  Scene scene(GetParam());
  Profile profile = usual_grants();
  profile.more = "syscalls: {allow: [openat2]}\nmonitor: {files: changes}\n";
  EXPECT_EQ(verdict_of(run(scene.in_jail(profile, {"open-how", "{write}/new"}))).kind, Verdict::Kind::Allowed);
  EXPECT_EQ(told(scene.log_lines(), {"\"openat2\"", "/write/new\"", "\"create\""}), 1);
  EXPECT_EQ(verdict_of(run(scene.in_jail(profile, {"open-how", "{read}/new"}))).kind, Verdict::Kind::Denied);
  EXPECT_EQ(told(scene.log_lines(), {"\"openat2\"", "/read/new\"", "\"denied\"", "\"EROFS\""}), 1);
}

TEST_P(Monitor, WhatIsThereIsReadAndNotMade) {
  Scene scene(GetParam());
  EXPECT_EQ(verdict_of(run(scene.in_jail(usual_grants(), {"open-or-create", "{read}/public"}))).kind,
            Verdict::Kind::Allowed);
  EXPECT_EQ(told(scene.log_lines(), {"\"denied\""}), 0);
  EXPECT_EQ(verdict_of(run(scene.in_jail(usual_grants(), {"open-or-create", "{read}/new"}))).kind,
            Verdict::Kind::Denied);
  EXPECT_EQ(told(scene.log_lines(), {"/read/new\"", "\"denied\"", "\"EROFS\""}), 1);
}

// The folders of the jail's /tmp are the plugin's, but for those that lead to something granted.
TEST_P(Monitor, AGrantBelowTmpKeepsItsName) {
  Scene scene(GetParam());
  char host[] = "/tmp/jail-escape-XXXXXX";
  ASSERT_NE(::mkdtemp(host), nullptr);
  const std::string folder = host;
  std::filesystem::create_directories(folder + "/a/granted");
  std::ofstream(folder + "/beside") << "the host's";
  std::filesystem::permissions(folder, std::filesystem::perms{0755});
  scene.at_end([folder] { std::filesystem::remove_all(folder); });
  const Profile profile = usual_grants() + Profile{.read = {folder + "/a/granted"}};
  for (const std::string& name : {folder, folder + "/a"}) {
    const Outcome moved = run(scene.in_jail(profile, {"move-folder", name, name + "-moved"}));
    EXPECT_EQ(verdict_of(moved).error, "EBUSY") << describe(moved);
  }
  EXPECT_EQ(told(scene.log_lines(), {"\"file.rename\"", "\"denied\"", "\"EBUSY\""}), 2);
  const Outcome beside = run(scene.in_jail(profile, {"thread-read", folder + "/beside"}));
  EXPECT_EQ(verdict_of(beside).error, "ENOENT") << describe(beside);
  EXPECT_EQ(told(scene.log_lines(), {"/beside\"", "\"denied\"", "\"ENOENT\""}), 1) << "the host has it, the jail not";
  const Outcome nowhere = run(scene.in_jail(profile, {"thread-read", folder + "/nothing"}));
  EXPECT_EQ(verdict_of(nowhere).error, "ENOENT") << describe(nowhere);
  EXPECT_EQ(told(scene.log_lines(), {"/nothing\"", "\"denied\""}), 0) << "nobody has it";
}

TEST_P(Monitor, ATimerNeitherHoldsACallUpNorTellsItTwice) {
  Scene scene(GetParam());
  const Outcome outcome = run(scene.in_jail(usual_grants(), {"timer-storm", "500"}));
  EXPECT_EQ(verdict_of(outcome).kind, Verdict::Kind::Denied) << describe(outcome);
  const auto log = scene.log_lines();
  EXPECT_EQ(told(log, {"\"privilege.attempt\"", "\"unshare\""}), 500);
  EXPECT_LE(log.size(), 10U);
}

TEST_P(Monitor, AHundredDenialsStandOutInAFlood) {
  Scene scene(GetParam());
  const Outcome outcome =
      run(scene.in_jail(usual_grants(), {"open-in-flood", "{secret}", "{read}/public", "100", "20000"}));
  EXPECT_EQ(verdict_of(outcome).kind, Verdict::Kind::Denied) << describe(outcome);
  const auto log = scene.log_lines();
  // Nobody has these files, so a jail denies none of them.
  EXPECT_EQ(told(log, {"\"file.open\""}), 0);
}

TEST_P(Monitor, AHundredDenialsOfWhatIsThereStandOutInAFlood) {
  Scene scene(GetParam());
  for (int i = 0; i < 100; ++i) scene.write_file("{secret}/" + std::to_string(i), "x");
  const Outcome outcome =
      run(scene.in_jail(usual_grants(), {"open-in-flood", "{secret}", "{read}/public", "100", "20000"}));
  EXPECT_EQ(verdict_of(outcome).kind, Verdict::Kind::Denied) << describe(outcome);
  const auto log = scene.log_lines();
  for (int i = 0; i < 100; ++i)
    EXPECT_EQ(told(log, {"\"file.open\"", "/secret/" + std::to_string(i) + "\"", "\"denied\""}), 1) << i;
  EXPECT_LE(log.size(), 110U);
}

TEST_P(Monitor, NewNamespacesByClone3AreToldAndNewProcessesAreNot) {
  Scene scene(GetParam());
  const Outcome outcome = run(scene.in_jail(usual_grants(), {"clone3-often", "7"}));
  EXPECT_EQ(verdict_of(outcome).error, "ENOSYS") << describe(outcome);
  EXPECT_EQ(told(scene.log_lines(), {"\"privilege.attempt\"", "\"clone3\"", "\"ENOSYS\""}), 7);
}

// What could once be done without a record; `jail doctor --blindspots` found it.
TEST_P(Monitor, ANameBesideAnEmptyPathIsTold) {
  Scene scene(GetParam());
  const Profile all = {.more = "monitor: {files: all}\n"};
  const Outcome outcome = run(scene.in_jail(usual_grants() + all, {"look-past-empty-path", "{secret}/key"}));
  EXPECT_EQ(verdict_of(outcome).error, "ENOENT") << describe(outcome);
  const auto log = scene.log_lines();
  EXPECT_EQ(told(log, {"\"file.open\"", "/secret/key\"", "\"denied\""}), 2);
  EXPECT_EQ(told(log, {"\"statx\"", "/secret/key\"", "\"denied\""}), 1);
  const Outcome control = run(scene.in_jail(usual_grants() + all, {"look-past-empty-path", "{read}/public"}));
  EXPECT_EQ(verdict_of(control).kind, Verdict::Kind::Allowed) << describe(control);
  EXPECT_EQ(told(scene.log_lines(), {"/read/public\"", "\"denied\""}), 0);
}

TEST_P(Monitor, TheLastOfManyMessagesIsTold) {
  Scene scene(GetParam());
  const Outcome outcome = run(scene.in_jail(usual_grants(), {"send-behind-others", "1000", "192.0.2.77"}));
  EXPECT_EQ(verdict_of(outcome).detail, "999 sent") << describe(outcome);
  EXPECT_EQ(told(scene.log_lines(), {"\"net.send\"", "\"192.0.2.77\"", "\"ENETUNREACH\""}), 1);
  const Outcome control = run(scene.in_jail(usual_grants(), {"send-behind-others", "1000", "127.0.0.1"}));
  EXPECT_EQ(verdict_of(control).kind, Verdict::Kind::Allowed) << describe(control);
}

TEST_P(Monitor, MemoryThatIsMadeCodeLaterIsTold) {
  Scene scene(GetParam());
  const Outcome outcome = run(scene.in_jail(usual_grants(), {"late-code", "{write}/code"}));
  EXPECT_EQ(verdict_of(outcome).error, "EACCES") << describe(outcome);
  EXPECT_EQ(told(scene.log_lines(), {"\"mprotect\"", "/write/code\"", "\"denied\""}), 1);
  EXPECT_EQ(verdict_of(run(scene.outside({"late-code", "{write}/code"}))).kind, Verdict::Kind::Allowed);
}

TEST_P(Monitor, ASignalToSomebodyOutsideIsTold) {
  Scene scene(GetParam());
  scene.spawn_victim();
  const Outcome outcome = run(scene.in_jail(usual_grants(), {"signal-process", "{victim}"}));
  EXPECT_EQ(verdict_of(outcome).error, "ESRCH") << describe(outcome);
  EXPECT_EQ(told(scene.log_lines(), {"\"privilege.attempt\"", "\"signal\"", "\"kill\"", "\"ESRCH\""}), 1);
  EXPECT_EQ(verdict_of(run(scene.outside({"signal-process", "{victim}"}))).kind, Verdict::Kind::Allowed);
}

TEST_P(Monitor, WhatNobodyDeniesIsToldWhereThatIsAskedFor) {
  const std::vector<std::vector<std::string>> wanted = {
      {"\"file.create\"", "\"/memfd:plain\"", "\"memory\""},    {"\"ftruncate\"", "/write/new\"", "\"truncate\""},
      {"\"fallocate\"", "/write/new\"", "\"write\""},           {"\"net.connect\"", "\"socketpair\"", "\"family\":1"},
      {"\"net.listen\"", "\"listen\"", "\"address\":\"0.0.0.0\""}, {"\"net.accept\"", "\"accept\""}};
  for (const char* files : {"all", "denied"}) {
    Scene scene(GetParam());
    const Profile profile = {.more = std::string("monitor: {files: ") + files + "}\n"};
    const Outcome outcome = run(scene.in_jail(usual_grants() + profile, {"make-and-listen", "{write}/new"}));
    EXPECT_EQ(verdict_of(outcome).kind, Verdict::Kind::Allowed) << describe(outcome);
    for (const auto& texts : wanted)
      EXPECT_EQ(told(scene.log_lines(), texts), files == std::string("all") ? 1 : 0) << texts.front() << texts.back();
  }
}

TEST_P(Monitor, WhatIsDoneWithADescriptorThatWasGivenIsNotForetoldByTheView) {
  Scene scene(GetParam());
  scene.write_file("{side}/given", "content", 0666);
  const int given = ::open(scene.at("{side}/given").c_str(), O_RDWR);  // handed down to jail
  ASSERT_GE(given, 0);
  const Profile all = {.more = "monitor: {files: all}\n"};
  const std::string number = std::to_string(given);
  const Outcome outcome =
      run(scene.in_jail(usual_grants() + all, {"change-given", number}, {"--pass-fd", number}));
  ::close(given);
  EXPECT_EQ(verdict_of(outcome).kind, Verdict::Kind::Allowed) << describe(outcome);
  const auto log = scene.log_lines();
  EXPECT_EQ(told(log, {"\"run.started\"", "\"passed\"", "/side/given\""}), 1);
  EXPECT_EQ(told(log, {"\"ftruncate\"", "/side/given\"", "\"allowed\""}), 1);
  EXPECT_EQ(told(log, {"\"file.metadata\"", "/side/given\"", "\"allowed\""}), 1);
  EXPECT_EQ(told(log, {"/side/given\"", "\"denied\""}), 0);
}

TEST_P(Monitor, TheDoctorFindsNothingInvisible) {
  Scene scene(GetParam());
  Launch launch = scene.outside({});
  launch.words = {jail_binary(), "doctor", "--blindspots"};
  const Outcome outcome = run(launch);
  EXPECT_EQ(outcome.code(), 0) << describe(outcome);
  EXPECT_EQ(outcome.survivors, 0);
}

// A program that its user may run but not read hides its memory from an ordinary user's supervisor.
TEST_P(Monitor, NamesThatNobodyMayReadAreToldAsUnknownAndLost) {
  if (!is_root()) GTEST_SKIP() << "making another user's program needs root";
  Scene scene(GetParam());
  std::filesystem::copy_file(scene.at("{attacker}"), scene.at("{bin}/closed"));
  ASSERT_EQ(::chown(scene.at("{bin}/closed").c_str(), 0, 0), 0);
  ASSERT_EQ(::chmod(scene.at("{bin}/closed").c_str(), 0111), 0);
  const Profile closed = {.exec = {"{bin}/closed"}};
  const Outcome outcome = run(scene.in_jail(
      usual_grants() + closed, {"execute", "{bin}/closed", "open-in-flood", "{secret}", "{read}/public", "10", "0"}));
  EXPECT_EQ(verdict_of(outcome).kind, Verdict::Kind::Denied) << describe(outcome);
  const auto log = scene.log_lines();
  const bool readable = GetParam() == Launcher::Root;
  EXPECT_EQ(told(log, {"\"file.open\"", "\"path_unknown\":true"}) >= 10, !readable);
  EXPECT_EQ(number_in(last(log), "notify", 0) >= 10, !readable) << last(log);
  EXPECT_EQ(told(log, {"\"monitor.lost\""}) >= 10, !readable);
}

// A filter with a listener around jail: it holds already, and there can be no second one.
void take_the_listener() {
  sock_filter all = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  const sock_fprog program{1, &all};
  const long listener =
      ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
          ? ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program)
          : -1;
  if (listener < 0 || ::fcntl(static_cast<int>(listener), F_SETFD, 0) != 0) ::_exit(97);
}

TEST_P(Monitor, WithoutAListenerTheSameIsDeniedAndTheLogSaysSo) {
  Scene scene(GetParam());
  Launch launch = scene.in_jail(usual_grants(), {"unshare", "user"});
  launch.prepare = take_the_listener;
  const Outcome outcome = run(launch);
  EXPECT_EQ(verdict_of(outcome).error, "EPERM") << describe(outcome);
  const auto log = scene.log_lines();
  EXPECT_EQ(told(log, {"\"run.started\"", "denied, not logged", "\"event_source\":\"none\""}), 1);
  EXPECT_EQ(told(log, {"\"privilege.attempt\""}), 0);
}

// The whole table of calls (SECURITY B8): who cannot listen must not deny one less, nor otherwise.
TEST_P(Monitor, WithoutAListenerEveryCallIsDeniedTheSame) {
  int denied = 0;
  for (const Case& one : abi_cases()) {
    if (one.name.starts_with("groups_") || one.setup || one.prepare || one.expect != Expect::Denied) continue;
    Scene scene(GetParam());
    Launch launch = scene.in_jail(usual_grants() + one.profile, one.attack, one.options);
    const Verdict with = verdict_of(run(launch));
    launch.prepare = take_the_listener;
    const Verdict without = verdict_of(run(launch));
    EXPECT_EQ(without.kind, with.kind) << one.name;
    EXPECT_EQ(without.error, with.error) << one.name;
    denied += without.kind == Verdict::Kind::Denied;
  }
  EXPECT_GT(denied, 50);
}

// The real thing: in a jail no namespaces are to be had, and less than a jail is not started.
TEST_P(Monitor, InAJailThereIsNoWeakerJail) {
  Scene scene(GetParam());
  std::filesystem::copy_file(jail_binary(), scene.at("{bin}/jail"));
  scene.make_folder("{read}/inner");
  scene.write_file("{read}/inner/p.yaml",
                   scene.expand("version: 1\nname: inner\nfilesystem: {exec: [\"{attacker}\"]}\n"));
  const Profile outer = {.exec = {"{bin}/jail"}, .more = "env: {set: {HOME: \"{write}\"}}\n"};
  const std::vector<std::string> inner = {"execute", "{bin}/jail", "run", "--best-effort", "--audit",
                                          "{write}/inner.jsonl", "{read}/inner/p.yaml", "--", "{attacker}",
                                          "exit", "0"};
  const Outcome outcome = run(scene.in_jail(usual_grants() + outer, inner));
  EXPECT_EQ(outcome.code(), 125) << describe(outcome);
  EXPECT_TRUE(has(outcome.error, "as inside a jail")) << describe(outcome);
  std::ifstream file(scene.at("{write}/inner.jsonl"));
  const std::string log(std::istreambuf_iterator<char>(file), {});
  EXPECT_FALSE(has(log, "run.started")) << log;
}

TEST_P(Monitor, WithoutAListenerNothingRunsThatAsksForOne) {
  Scene scene(GetParam());
  const Profile asking = {.more = "monitor: {source: notify}\n"};
  Launch launch = scene.in_jail(usual_grants() + asking, {"exit", "0"});
  EXPECT_EQ(run(launch).code(), 0);
  launch.prepare = take_the_listener;
  EXPECT_EQ(run(launch).code(), 125);
}

int listeners_of(pid_t pid) {
  int count = 0;
  std::error_code ignored;
  for (const auto& fd : std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/fd", ignored))
    count += std::filesystem::read_symlink(fd, ignored) == "anon_inode:seccomp notify";
  return count;
}

std::string text_of(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<pid_t> children_of(pid_t pid) {
  const std::string self = std::to_string(pid);
  std::ifstream file("/proc/" + self + "/task/" + self + "/children");
  return {std::istream_iterator<pid_t>(file), {}};
}

TEST_P(Monitor, OnlyTheSupervisorHasTheListenerAndNobodyOutlivesIt) {
  if (!is_root()) GTEST_SKIP() << "only root sees everybody's descriptors";
  Scene scene(GetParam());
  Profile profile = usual_grants();
  profile.more = "monitor: {source: notify}\n";  // else there may be who enters the run in the kernel
  Started started(scene.in_jail(profile, {"hold", "{write}/ready"}));
  ASSERT_TRUE(eventually(20, [&] { return std::filesystem::exists(scene.at("{write}/ready")); }));
  EXPECT_EQ(listeners_of(started.pid()), 1);
  const std::vector<pid_t> jailed = children_of(started.pid());
  EXPECT_EQ(jailed.size(), 2U);  // pid 1 and the plugin
  for (const pid_t pid : jailed) EXPECT_EQ(listeners_of(pid), 0) << pid;
  ::kill(started.pid(), SIGKILL);
  EXPECT_EQ(started.wait().survivors, 0);
}

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// It waits for an answer that will never come: of a supervisor that stands still, and then is gone.
TEST_P(Monitor, WhoWaitsForAnAnswerEndsWithTheSupervisor) {
  if (!is_root()) GTEST_SKIP() << "only root sees what another's process waits for";
  Scene scene(GetParam());
  Started started(scene.in_jail(usual_grants(), {"deny-for-ever"}));
  ASSERT_TRUE(eventually(20, [&] { return told(scene.log_lines(), {"\"socket\""}) > 0; }));
  const std::vector<pid_t> jailed = children_of(started.pid());
  ::kill(started.pid(), SIGSTOP);
  const auto waits = [](pid_t pid) {
    return text_of("/proc/" + std::to_string(pid) + "/wchan").starts_with("seccomp");
  };
  EXPECT_TRUE(eventually(20, [&] { return std::ranges::any_of(jailed, waits); }));
  const auto start = std::chrono::steady_clock::now();
  ::kill(started.pid(), SIGKILL);
  EXPECT_EQ(started.wait().survivors, 0);
  EXPECT_LT(seconds_since(start), patience() / 2.0);
}

// Nobody reads the log: it is full soon, and the wall clock goes on.
void unread_pipe() {
  int ends[2];
  if (::pipe(ends) != 0) ::_exit(97);
  ::dup2(ends[0], 8);  // somebody has the other end
  ::dup2(ends[1], 9);
}

TEST_P(Monitor, AnUnreadLogStopsNoClock) {
  Scene scene(GetParam());
  const Profile brief = {.more = "limits: {time: 1s, grace: 1s}\n"};
  Launch launch = scene.in_jail(usual_grants() + brief, {"deny-for-ever"}, {"--audit-fd", "9"});
  launch.prepare = unread_pipe;
  const auto start = std::chrono::steady_clock::now();
  const Outcome outcome = run(launch);
  EXPECT_EQ(outcome.code(), 124) << describe(outcome);
  EXPECT_LT(seconds_since(start), patience() / 2.0);
}

std::string launcher_name(const testing::TestParamInfo<Launcher>& info) {
  return info.param == Launcher::Root ? "root" : "user";
}
// What Landlock has denied, as the kernel itself counts and tells it. Switched on for the whole machine, and so only
// where that is the tests' own.
class KernelAudit : public testing::Test {
 protected:
  void SetUp() override {
    if (!is_root() || std::getenv("JAIL_VM") == nullptr) GTEST_SKIP() << "no machine of the tests' own, or no root";
    if (::syscall(SYS_landlock_create_ruleset, nullptr, 0, 1) < 7) GTEST_SKIP() << "Landlock is silent before ABI 7";
    adopt_orphans();
    library_.libraries = {"{dir}/lib"};
    scene_.make_folder("{dir}/lib");
    std::filesystem::copy_file(scene_.at("{bin}/attacker"), scene_.at("{dir}/lib/attacker"));
    scene_.own(scene_.at("{dir}/lib/attacker"));
  }
  void TearDown() override { EXPECT_EQ(switch_to(0), 0); }

  // auditctl -e 0 or 1.
  static int switch_to(std::uint32_t enabled) {
    const int socket = ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_AUDIT);
    struct {
      nlmsghdr header{};
      audit_status status{};
    } request;
    request.header = {sizeof request, AUDIT_SET, NLM_F_REQUEST | NLM_F_ACK, 1, 0};
    request.status.mask = AUDIT_STATUS_ENABLED;
    request.status.enabled = enabled;
    char answer[256] = {};
    const bool asked = ::send(socket, &request, sizeof request, 0) > 0 && ::recv(socket, answer, sizeof answer, 0) > 0;
    ::close(socket);
    int error = EIO;
    if (asked) std::memcpy(&error, answer + NLMSG_HDRLEN, sizeof error);
    return error;
  }

  // Of a run that starts what may only be mapped as code, which Landlock denies.
  std::vector<std::string> log_of(const std::string& monitor) {
    Profile profile = usual_grants() + library_;
    profile.more = monitor;
    const std::size_t before = scene_.log_lines().size();
    const Outcome outcome = run(scene_.in_jail(profile, {"run-file", "{dir}/lib/attacker"}));
    EXPECT_EQ(verdict_of(outcome).error, "EACCES") << describe(outcome);
    std::vector<std::string> log = scene_.log_lines();
    log.erase(log.begin(), log.begin() + static_cast<std::ptrdiff_t>(before));
    return log;
  }

  Scene scene_{Launcher::Root};
  Profile library_;
};

TEST_F(KernelAudit, IsNeverSwitchedOnByUs) {
  const auto log = log_of("monitor: {source: notify}\n");
  EXPECT_EQ(told(log, {"\"denied\"", "\"landlock\"", "\"EACCES\""}), 1) << "the attempt is told all the same";
  EXPECT_FALSE(has(last(log), "landlock_denials"));
  EXPECT_EQ(told(log_of("monitor: {source: none}\n"), {"\"denied\""}), 0);
}

TEST_F(KernelAudit, CountsWhatOthersTell) {
  ASSERT_EQ(switch_to(1), 0);
  const auto log = log_of("monitor: {source: notify}\n");
  EXPECT_EQ(told(log, {"\"denied\"", "\"landlock\"", "\"EACCES\""}), 1);
  EXPECT_EQ(told(log, {"\"source\":\"kernel-audit\""}), 0) << "one attempt, one event";
  EXPECT_TRUE(has(last(log), R"("landlock_denials":{"logged":1,"denied":1})")) << last(log);
}

TEST_F(KernelAudit, TellsWhatNobodyElseTells) {
  ASSERT_EQ(switch_to(1), 0);
  const auto log = log_of("monitor: {source: none}\n");
  const std::string path = "\"" + scene_.at("{dir}/lib/attacker").string() + "\"";
  EXPECT_EQ(told(log, {"\"source\":\"kernel-audit\"", path, "\"execute\"", "\"landlock\"", ".yaml:", "\"pid\":"}),
            1);
  EXPECT_EQ(told(log, {"\"denied\"", "\"landlock\""}), 1);
  EXPECT_TRUE(has(last(log), R"("landlock_denials":{"logged":1,"denied":1})")) << last(log);
}

// A plugin's own domain within the jail's is another, and what it denies none of ours.
TEST_F(KernelAudit, LeavesThePluginsOwnDomainsAlone) {
  ASSERT_EQ(switch_to(1), 0);
  Profile profile = usual_grants();
  profile.more = "monitor: {source: none}\n";
  const Outcome outcome = run(scene_.in_jail(profile, {"deny-itself", "{read}/public"}));
  EXPECT_EQ(verdict_of(outcome).error, "EACCES") << describe(outcome);
  const auto log = scene_.log_lines();
  EXPECT_TRUE(has(last(log), R"("landlock_denials":{"logged":0,"denied":0})")) << last(log);
}

INSTANTIATE_TEST_SUITE_P(Escape, Monitor, testing::Values(Launcher::Root, Launcher::User), launcher_name);

}  // namespace
}  // namespace jail::test
