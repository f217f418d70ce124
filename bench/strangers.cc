// What a run costs those who are none of its business: calls of an ordinary process while a jail stands beside it whose
// plugin does nothing, by the programs that this jail has the kernel ask. In turn in one run; as root, in a mount
// namespace with a BPF file system of its own. What this kernel does not load is told by notification, which costs
// nobody else anything: `jail doctor` says what loads. In time of the processor: a busy machine does no harm.
// Usage: bench_strangers [ROUNDS]. Prints medians, and the medians of the ratio to a jail that is not watched.
#include <fcntl.h>
#include <sched.h>
#include <spawn.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

extern char** environ;

namespace {

namespace fs = std::filesystem;

constexpr int kStarts = 60;  // of a program, in a round

struct Watch {
  const char* name;
  const char* monitor;
  const char* network;
};
constexpr Watch kWatches[] = {
    {"unwatched", "source: none", "isolated"},
    {"started and ended (process)", "source: auto", "isolated"},
    {"and addresses (network)", "source: auto", "host"},
    {"and opened files (file_lsm)", "source: auto, files: all", "isolated"},
    {"powers that are lacking (privilege)", "source: ebpf, files: none", "isolated"},
    {"the end of each call (file_exit)", "source: ebpf", "isolated"},
};
constexpr std::array kWhat = {"getpid", "open+close", "socket", "fork+exec"};
using Costs = std::array<double, kWhat.size()>;  // ns

[[noreturn]] void fail(const char* what) {
  std::perror(what);
  std::exit(1);
}

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<long>(values.size() / 2), values.end());
  return values[values.size() / 2];
}

pid_t start(std::vector<std::string> command, int in = -1, int out = -1) {
  std::vector<char*> argv;
  for (std::string& word : command) argv.push_back(word.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  if (in >= 0) ::posix_spawn_file_actions_adddup2(&actions, in, 0);
  if (out >= 0) ::posix_spawn_file_actions_adddup2(&actions, out, 1);
  pid_t pid = 0;
  if (::posix_spawnp(&pid, argv[0], &actions, nullptr, argv.data(), environ) != 0) fail(argv[0]);
  ::posix_spawn_file_actions_destroy(&actions);
  return pid;
}

rusage wait_for(pid_t pid) {
  rusage used{};
  int status = 0;
  if (::wait4(pid, &status, 0, &used) != pid || status != 0) fail("bench_strangers: a command");
  return used;
}

class Scene {
 public:
  Scene() {
    std::string name = "/tmp/jail-bench-XXXXXX";
    if (::unshare(CLONE_NEWNS) != 0 || ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("bpf", "/sys/fs/bpf", "bpf", 0, "mode=0755") != 0 || ::mkdtemp(name.data()) == nullptr ||
        ::chmod(name.c_str(), 0755) != 0)
      fail("bench_strangers: only root can");
    folder_ = name;
    fs::copy_file(WAITS, folder_ / "bench_waits");
  }
  ~Scene() { fs::remove_all(folder_); }
  Scene(const Scene&) = delete;
  Scene& operator=(const Scene&) = delete;

  [[nodiscard]] std::vector<std::string> jail(const Watch& watch) const {
    const std::string plugin = folder_ / "bench_waits", profile = folder_ / "bench.yaml";
    std::ofstream(profile) << "version: 1\nname: bench\nuser: nobody\nfilesystem: {exec: [" << plugin << "]}\n"
                           << "monitor: {" << watch.monitor << "}\nnetwork: {mode: " << watch.network << "}\n";
    fs::remove(folder_ / "log.jsonl");
    return {JAIL, "run", "--audit", folder_ / "log.jsonl", profile, "--", plugin};
  }

  [[nodiscard]] std::string file() const { return folder_ / "bench.yaml"; }  // any

 private:
  fs::path folder_;
};

double own_ns() {
  timespec time{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_nsec);
}

double ns(const timeval& time) {
  return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_usec) * 1e3;
}

double start_ns() {
  const double before = own_ns();
  const rusage used = wait_for(start({NOTHING}));
  return own_ns() - before + ns(used.ru_utime) + ns(used.ru_stime);
}

Costs costs_here(const std::string& file) {
  Costs costs{};
  FILE* calls = ::popen((std::string(CALLS) + " " + file + " alone").c_str(), "re");
  if (calls == nullptr || std::fscanf(calls, "%lf %lf %lf", &costs[0], &costs[1], &costs[2]) != 3 ||
      ::pclose(calls) != 0)
    fail("bench_calls");
  std::vector<double> starts;
  for (int i = 0; i < kStarts; ++i) starts.push_back(start_ns());
  costs[3] = median(std::move(starts));
  return costs;
}

// While the jail stands.
Costs costs_beside(const std::vector<std::string>& jail, const std::string& file) {
  int in[2], out[2];
  if (::pipe2(in, O_CLOEXEC) != 0 || ::pipe2(out, O_CLOEXEC) != 0) fail("pipe2");
  const pid_t pid = start(jail, in[0], out[1]);
  ::close(in[0]);
  ::close(out[1]);
  char line[5];
  if (::read(out[0], line, sizeof line) <= 0) fail("bench_strangers: the plugin does not run");
  const Costs costs = costs_here(file);
  ::close(in[1]);
  wait_for(pid);
  ::close(out[0]);
  return costs;
}

}  // namespace

int main(int argc, char** argv) {
  const int rounds = std::max(argc > 1 ? std::atoi(argv[1]) / 20 : 9, 3);
  const Scene scene;
  std::array<std::vector<double>, kWhat.size()> all[std::size(kWatches)], ratios[std::size(kWatches)];
  for (int round = -1; round < rounds; ++round) {
    Costs first{};
    for (std::size_t i = 0; i < std::size(kWatches); ++i) {
      const Costs costs = costs_beside(scene.jail(kWatches[i]), scene.file());
      if (i == 0) first = costs;
      if (round < 0) continue;  // programs are loaded, files come in
      for (std::size_t what = 0; what < kWhat.size(); ++what) {
        all[i][what].push_back(costs[what]);
        ratios[i][what].push_back(costs[what] / first[what]);
      }
    }
  }
  std::printf("unrelated processes beside a jail, median of %d rounds, in turn: ns, and ratio to unwatched\n", rounds);
  for (std::size_t i = 0; i < std::size(kWatches); ++i) {
    std::printf("  %-36s", kWatches[i].name);
    for (std::size_t what = 0; what < kWhat.size(); ++what)
      std::printf("  %s %.0f %.3f", kWhat[what], median(all[i][what]), median(ratios[i][what]));
    std::putchar('\n');
  }
}
