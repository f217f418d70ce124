// What needs two sides at once: the host looks at the plugin from outside (SECURITY A1, A3), swaps a path while runs
// start (CVE-2021-30465, CVE-2024-42472), offers its own program (CVE-2019-5736), or reads what a run left behind.
#include <gtest/gtest.h>

#include <fcntl.h>
#include <linux/fs.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <iterator>
#include <sstream>
#include <thread>

#include "scene.h"

namespace jail::test {
namespace {

class Scenario : public testing::TestWithParam<Launcher> {
 protected:
  void SetUp() override {
    if (GetParam() == Launcher::Root && !is_root()) GTEST_SKIP() << "only root launches as root";
  }
};

std::string slurp(const std::filesystem::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// The host's pid of the process whose command line begins with `program` and ends with `last`.
pid_t find_process(const std::string& program, const std::string& last) {
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const std::string line = slurp(entry.path() / "cmdline");
    if (line.starts_with(program + '\0') && line.ends_with(last + '\0')) return std::stoi(entry.path().filename());
  }
  return -1;
}

// The numbers of a line of /proc/PID/status.
std::vector<unsigned> status_numbers(pid_t pid, const std::string& name) {
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  std::vector<unsigned> numbers;
  for (std::string line; std::getline(status, line);) {
    if (!line.starts_with(name + ":")) continue;
    std::istringstream words(line.substr(name.size() + 1));
    for (unsigned value = 0; words >> value;) numbers.push_back(value);
  }
  return numbers;
}

// Starts a plugin that stays, and hands its pid over once it runs.
template <typename Look>
Outcome while_it_runs(const Scene& scene, Launch launch, const Look& look) {
  Started started(launch);
  const std::string ready = scene.at("{write}/ready");
  const bool came = eventually(20, [&] { return std::filesystem::exists(ready); });
  EXPECT_TRUE(came) << "the plugin never ran";
  const pid_t plugin = find_process(scene.at("{attacker}"), ready);
  EXPECT_GT(plugin, 0);
  if (came && plugin > 0) look(plugin);
  ::kill(started.pid(), SIGKILL);
  return started.wait();
}

TEST_P(Scenario, HostSeesNoRootIdentity) {
  Scene scene(GetParam());
  Launch launch = scene.in_jail(usual_grants(), {"hold", "{write}/ready"});
  if (GetParam() == Launcher::Root) launch.identity.groups = {0, 6, 42};
  while_it_runs(scene, launch, [&](pid_t plugin) {
    for (const char* field : {"Uid", "Gid", "Groups"})
      for (const unsigned id : status_numbers(plugin, field)) EXPECT_NE(id, 0U) << field;
    if (GetParam() == Launcher::Root) {
      EXPECT_TRUE(status_numbers(plugin, "Groups").empty());
      return;
    }
    for (const unsigned id : status_numbers(plugin, "Uid")) EXPECT_EQ(id, scene.identity().uid);
  });
}

// The control of the test above: the weakening has a name, and then it is root.
TEST_P(Scenario, NamedWeakeningIsRoot) {
  if (GetParam() == Launcher::User) GTEST_SKIP() << "only root has root to give";
  Scene scene(GetParam());
  Profile profile = usual_grants();
  profile.more = "user: root\n";
  while_it_runs(scene, scene.in_jail(profile, {"hold", "{write}/ready"}), [](pid_t plugin) {
    for (const unsigned id : status_numbers(plugin, "Uid")) EXPECT_EQ(id, 0U);
  });
}

// SECURITY A3: an ordinary user cannot drop its groups, so the record names them.
TEST_P(Scenario, KeptGroupsAreRecorded) {
  if (GetParam() == Launcher::Root || !is_root()) GTEST_SKIP() << "needs an ordinary launcher with a chosen group";
  Scene scene(GetParam());
  Launch launch = scene.in_jail(usual_grants(), {"exit", "0"});
  launch.identity.groups = {4242};
  const Outcome outcome = run(launch);
  EXPECT_EQ(outcome.code(), 0) << describe(outcome);
  bool recorded = false;
  for (const std::string& line : scene.log_lines())
    recorded |= line.find("run.started") != std::string::npos && line.find("4242") != std::string::npos;
  EXPECT_TRUE(recorded);
}

// No process of the jail, its pid 1 included, holds a descriptor of the launcher beside the standard ones.
TEST_P(Scenario, HostSeesNoStrayDescriptors) {
  if (!is_root()) GTEST_SKIP() << "only root may look into another's /proc/PID/fd";
  Scene scene(GetParam());
  while_it_runs(scene, scene.in_jail(usual_grants(), {"hold", "{write}/ready"}), [](pid_t plugin) {
    for (const auto& entry : std::filesystem::directory_iterator("/proc/" + std::to_string(plugin) + "/fd")) {
      std::error_code gone;
      const std::filesystem::path file = std::filesystem::read_symlink(entry.path(), gone);
      if (gone || file.filename() == "ready") continue;  // its own, which it may not have closed yet
      EXPECT_LE(std::stoi(entry.path().filename()), 2) << file;
    }
  });
}

// A path below a write grant changes from a folder into a link to the secret, many times a second, while runs resolve
// and mount it. Every run must be refused or show the folder, never the link's target.
TEST_P(Scenario, SwappedSourceIsNeverFollowed) {
  Scene scene(GetParam());
  scene.make_folder("{write}/sub", 0777);
  scene.write_file("{write}/sub/key", "harmless", 0666);
  std::filesystem::create_symlink(scene.at("{secret}"), scene.at("{write}/other"));
  scene.own(scene.at("{write}/other"));
  std::atomic<bool> stop = false;
  std::thread swapper([&] {
    const std::string one = scene.at("{write}/sub"), two = scene.at("{write}/other");
    while (!stop) {
      ::syscall(SYS_renameat2, AT_FDCWD, one.c_str(), AT_FDCWD, two.c_str(), RENAME_EXCHANGE);
      ::usleep(300);
    }
  });
  Profile profile = usual_grants();
  profile.read.push_back("{write}/sub/key");
  int shown = 0, refused = 0;
  for (int turn = 0; turn < 30; ++turn) {
    const Outcome outcome = run(scene.in_jail(profile, {"read-by", "open", "{write}/sub/key"}));
    EXPECT_EQ(outcome.out.find(kSecret), std::string::npos) << describe(outcome);
    shown += verdict_of(outcome).kind == Verdict::Kind::Allowed;
    refused += verdict_of(outcome).kind == Verdict::Kind::Refused;
  }
  stop = true;
  swapper.join();
  std::cout << shown << " runs showed the folder, " << refused << " of 30 were refused\n";
}

// CVE-2019-5736: the "program" is the launcher itself, by its magic name, to be opened for writing from inside.
TEST_P(Scenario, LaunchersOwnProgramIsNotRun) {
  Scene scene(GetParam());
  const std::string before = slurp(jail_binary());
  ASSERT_FALSE(before.empty());
  std::filesystem::create_symlink("/proc/self/exe", scene.at("{write}/exe"));
  scene.write_file("{bin}/script", "#!/proc/self/exe\n", 0755);
  Profile profile = usual_grants();
  profile.exec.push_back("{bin}/script");
  for (const std::string command : {"/proc/self/exe", "/proc/1/exe", "{write}/exe", "{bin}/script"}) {
    Launch launch = scene.in_jail(profile, {});
    launch.words.back() = scene.at(command);
    const Outcome outcome = run(launch);
    EXPECT_TRUE(outcome.code() == 126 || outcome.code() == 127 || outcome.code() == 125) << describe(outcome);
    EXPECT_EQ(outcome.out.find("Usage"), std::string::npos) << "jail ran inside its own jail";
  }
  EXPECT_TRUE(slurp(jail_binary()) == before);
}

TEST_P(Scenario, NoCoreFileIsLeft) {
  Scene scene(GetParam());
  const Outcome outcome = run(scene.in_jail(usual_grants(), {"die", std::to_string(SIGSEGV)}));
  EXPECT_EQ(outcome.code(), 128 + SIGSEGV) << describe(outcome);
  for (const auto& entry : std::filesystem::recursive_directory_iterator(scene.dir()))
    EXPECT_FALSE(entry.path().filename().string().starts_with("core")) << entry.path();
}

// ATTACKS, Secrets: neither our errors nor the log repeat the value of a variable, whatever goes wrong.
TEST_P(Scenario, SecretsAreInNoMessage) {
  Scene scene(GetParam());
  Profile profile = usual_grants();
  profile.more = "env:\n  secret: [API_TOKEN]\n";
  const std::vector<std::vector<std::string>> plugins = {
      {"exit", "3"}, {"no-such-attack"}, {"die", "9"}, {"variable", "OTHER"}, {"hold-" + std::string(kEnvSecret)}};
  for (const std::vector<std::string>& words : plugins) {
    const Outcome outcome = run(scene.in_jail(profile, words));
    // The attacker itself repeats a name that it does not know.
    const bool said_by_jail = outcome.error.find(kEnvSecret) != std::string::npos && words != plugins.back();
    EXPECT_FALSE(said_by_jail) << outcome.error;
    for (const std::string& line : scene.log_lines())
      EXPECT_EQ(line.find(kEnvSecret), std::string::npos) << "a value named as secret stands in the log: " << line;
  }
  profile.read = {"{dir}/not-there"};
  const Outcome refused = run(scene.in_jail(profile, {"exit", "0"}));
  EXPECT_EQ(refused.code(), 125) << describe(refused);
  EXPECT_EQ(refused.error.find(kEnvSecret), std::string::npos) << refused.error;
}

std::string launcher_name(const testing::TestParamInfo<Launcher>& info) {
  return info.param == Launcher::Root ? "root" : "user";
}

INSTANTIATE_TEST_SUITE_P(Escape, Scenario, testing::Values(Launcher::Root, Launcher::User), launcher_name);

}  // namespace
}  // namespace jail::test
