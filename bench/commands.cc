// Whole commands, measured in turn in one run as an ordinary user, so that a noisy machine is noisy for all of them:
//   start-up   jail with every layer, 20 paths, one `extends` and its log, against bubblewrap, nothing at all
//   per call   getpid and open+close inside a jail, against a hand-made Landlock domain and filter
//   imports    the modules of Python's library, without and with a record of what is denied
//   memory     the supervisor's own anonymous memory
// "denials logged" is the same jail with the source of events that a profile has by default.
// Usage: bench_commands [ROUNDS]. Prints medians and ratios.
#include <fcntl.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

extern char** environ;

namespace {

using Command = std::vector<std::string>;

constexpr uid_t kOrdinaryUser = 65534;

constexpr const char* kProfile = R"(version: 1
name: bench
extends: [python]
filesystem:
  read: [/etc/passwd, /etc/group, /etc/hostname, /etc/profile, /etc/debian_version, /etc/fstab, /etc/shells,
         /etc/networks]
  exec: [PROGRAMS]
  write: [HOME/state]
)";

constexpr const char* kUnwatched = "monitor: {source: none}\n";

// Prints milliseconds. What opens a window, a browser or a socket at once is no import like others.
constexpr const char* kImports = R"py(
import importlib, sys, time, warnings
warnings.simplefilter("ignore")
names = [n for n in sorted(sys.stdlib_module_names)
         if n[0] != "_" and n not in ("antigravity", "this", "idlelib", "tkinter", "turtle", "turtledemo", "lib2to3")]
start = time.perf_counter()
for name in names:
  try: importlib.import_module(name)
  except ImportError: pass
print((time.perf_counter() - start) * 1e3, len(sys.modules))
)py";

pid_t spawn(const Command& command) {
  std::vector<char*> argv;
  for (const std::string& word : command) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  pid_t pid = 0;
  if (::posix_spawnp(&pid, argv[0], nullptr, nullptr, argv.data(), environ) != 0) return -1;
  return pid;
}

double milliseconds(const Command& command) {
  const auto start = std::chrono::steady_clock::now();
  const pid_t pid = spawn(command);
  int status = 0;
  if (pid < 0 || ::waitpid(pid, &status, 0) != pid || status != 0) {
    std::fprintf(stderr, "bench: '%s' failed (%d)\n", command.front().c_str(), status);
    std::exit(1);
  }
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<long>(values.size() / 2), values.end());
  return values[values.size() / 2];
}

std::string output_of(const Command& command) {
  std::string line;
  for (const std::string& word : command) line += "'" + word + "' ";
  std::string text;
  FILE* pipe = ::popen(line.c_str(), "re");
  for (int c = 0; pipe != nullptr && (c = std::fgetc(pipe)) != EOF;) text += static_cast<char>(c);
  if (pipe == nullptr || ::pclose(pipe) != 0) std::exit(1);
  return text;
}

struct Scene {
  std::string home;
  std::string profile;
  std::string watched;  // the same profile, denials logged
};

Scene make_scene() {
  char home[] = "/tmp/jail-bench-XXXXXX";
  if (::mkdtemp(home) == nullptr || ::chmod(home, 0755) != 0) std::exit(1);
  const Scene scene{home, std::string(home) + "/bench.yaml", std::string(home) + "/watched.yaml"};
  for (const char* program : {NOTHING, CALLS, HANDMADE, JAIL}) output_of({"cp", program, scene.home + "/"});
  ::mkdir((scene.home + "/state").c_str(), 0755);
  std::string text = kProfile;
  const auto put = [&](const std::string& what, const std::string& value) {
    for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what))
      text.replace(at, what.size(), value);
  };
  put("PROGRAMS", scene.home + "/bench_nothing, " + scene.home + "/bench_calls");
  put("HOME", scene.home);
  std::ofstream(scene.profile) << text << kUnwatched;
  std::ofstream(scene.watched) << text;
  if (::geteuid() == 0) {
    output_of({"chown", "-R", std::to_string(kOrdinaryUser), scene.home});
    if (::setgid(kOrdinaryUser) != 0 || ::setuid(kOrdinaryUser) != 0) std::exit(1);
  }
  ::setenv("HOME", scene.home.c_str(), 1);
  for (const char* name : {"XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"}) ::unsetenv(name);
  return scene;
}

void start_up(const Scene& scene, int rounds) {
  const std::string nothing = scene.home + "/bench_nothing";
  const std::vector<std::pair<const char*, Command>> rivals{
      {"nothing (exec alone)", {nothing}},
      {"bwrap --unshare-all",
       {"bwrap", "--unshare-all", "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev", nothing}},
      {"jail run, all layers", {scene.home + "/jail", "run", scene.profile, "--", nothing}},
      {"jail, denials logged", {scene.home + "/jail", "run", scene.watched, "--", nothing}}};
  std::vector<std::vector<double>> times(rivals.size());
  for (int round = -3; round < rounds; ++round)
    for (std::size_t i = 0; i < rivals.size(); ++i)
      if (const double time = milliseconds(rivals[i].second); round >= 0) times[i].push_back(time);
  std::printf("start-up, median of %d, in turn:\n", rounds);
  for (std::size_t i = 0; i < rivals.size(); ++i)
    std::printf("  %-22s %7.3f ms   %.2f of bwrap\n", rivals[i].first, median(times[i]),
                median(times[i]) / median(times[1]));
}

void per_call(const Scene& scene) {
  constexpr int kRounds = 7;
  const std::string calls = scene.home + "/bench_calls";
  const std::string file = "/usr/share/common-licenses/Apache-2.0";  // of base-files: every Debian has it
  const std::vector<std::pair<const char*, Command>> rivals{
      {"bare", {calls, file}},
      {"hand-made", {scene.home + "/bench_handmade", "/usr/share", calls, file}},
      {"jail", {scene.home + "/jail", "run", scene.profile, "--", calls, file}},
      {"jail, denials logged", {scene.home + "/jail", "run", scene.watched, "--", calls, file}}};
  std::vector<std::vector<double>> pids(rivals.size()), opens(rivals.size());
  for (int round = 0; round < kRounds; ++round)
    for (std::size_t i = 0; i < rivals.size(); ++i) {
      double pid = 0, open = 0;
      if (std::sscanf(output_of(rivals[i].second).c_str(), "%lf %lf", &pid, &open) != 2) std::exit(1);
      pids[i].push_back(pid);
      opens[i].push_back(open);
    }
  std::printf("per call, median of %d rounds, in turn:\n", kRounds);
  for (std::size_t i = 0; i < rivals.size(); ++i)
    std::printf("  %-22s getpid %6.1f ns (%.2f of hand-made)   open+close %7.1f ns (%.2f of hand-made)\n",
                rivals[i].first, median(pids[i]), median(pids[i]) / median(pids[1]), median(opens[i]),
                median(opens[i]) / median(opens[1]));
}

void imports(const Scene& scene) {
  constexpr int kRounds = 9;
  std::vector<double> times[2];
  int modules = 0;
  for (int round = -1; round < kRounds; ++round)
    for (int i = 0; i < 2; ++i) {
      const std::string& profile = i == 0 ? scene.profile : scene.watched;
      double time = 0;
      const std::string said = output_of({scene.home + "/jail", "run", profile, "--", "python3", "-c", kImports});
      if (std::sscanf(said.c_str(), "%lf %d", &time, &modules) != 2) std::exit(1);
      if (round >= 0) times[i].push_back(time);
    }
  std::printf("imports, %d modules, median of %d: %.1f ms, denials logged %.1f ms (%.2f)\n", modules, kRounds,
              median(times[0]), median(times[1]), median(times[1]) / median(times[0]));
}

void memory(const Scene& scene) {
  const pid_t pid =
      spawn({scene.home + "/jail", "run", scene.profile, "--", "python3", "-c", "import time; time.sleep(1)"});
  std::this_thread::sleep_for(std::chrono::milliseconds(600));
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("RssAnon")) std::printf("supervisor: %s (at most 6144 kB)\n", line.c_str());
  ::waitpid(pid, nullptr, 0);
}

}  // namespace

int main(int argc, char** argv) {
  const Scene scene = make_scene();
  start_up(scene, argc > 1 ? std::atoi(argv[1]) : 200);
  per_call(scene);
  imports(scene);
  memory(scene);
  output_of({"rm", "-rf", scene.home});
}
