// What each source of events costs, measured in turn in one run, so that a noisy machine is noisy for all of them:
//   per call   open+close inside the same jail, unwatched, by notification, by eBPF
//   start-up   the same jail with a program that does nothing, eBPF programs kept
// As root, which eBPF needs; in a mount namespace of its own, with a BPF file system of its own.
// Usage: bench_sources [ROUNDS]. Prints medians, and the medians of what each round has more than unwatched.
#include <sched.h>
#include <spawn.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

extern char** environ;

namespace {

namespace fs = std::filesystem;
using Command = std::vector<std::string>;

constexpr const char* kFile = "/usr/share/common-licenses/Apache-2.0";  // of base-files: every Debian has it
constexpr const char* kSources[] = {"none", "notify,denied", "notify,all", "ebpf,denied", "ebpf,all", "auto,denied",
                                    "auto,all"};

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<long>(values.size() / 2), values.end());
  return values[values.size() / 2];
}

void run(const Command& command) {
  std::vector<char*> argv;
  for (const std::string& word : command) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  pid_t pid = 0;
  int status = 0;
  if (::posix_spawnp(&pid, argv[0], nullptr, nullptr, argv.data(), environ) == 0 &&
      ::waitpid(pid, &status, 0) == pid && status == 0)
    return;
  std::fprintf(stderr, "bench: '%s' failed (%d)\n", command.front().c_str(), status);
  std::exit(1);
}

double open_and_close_ns(const Command& command) {
  std::string line;
  for (const std::string& word : command) line += "'" + word + "' ";
  FILE* pipe = ::popen(line.c_str(), "re");
  double pid = 0, open = 0;
  if (pipe == nullptr || std::fscanf(pipe, "%lf %lf", &pid, &open) != 2 || ::pclose(pipe) != 0) std::exit(1);
  return open;
}

double start_up_ms(const Command& command) {
  const auto start = std::chrono::steady_clock::now();
  run(command);
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

struct Scene {
  fs::path folder;

  Scene() {
    std::string name = "/tmp/jail-bench-XXXXXX";
    if (::unshare(CLONE_NEWNS) != 0 || ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("bpf", "/sys/fs/bpf", "bpf", 0, "mode=0755") != 0 || ::mkdtemp(name.data()) == nullptr ||
        ::chmod(name.c_str(), 0755) != 0) {
      std::perror("bench_sources: only root can");
      std::exit(1);
    }
    folder = name;
    for (const fs::path program : {NOTHING, CALLS}) fs::copy_file(program, folder / program.filename());
    std::ofstream(folder / "bench.yaml") << "version: 1\nname: bench\nextends: [base]\nuser: nobody\nfilesystem:\n"
                                         << "  exec: [" << name << "/bench_nothing, " << name << "/bench_calls]\n";
  }
  ~Scene() { fs::remove_all(folder); }
  Scene(const Scene&) = delete;
  Scene& operator=(const Scene&) = delete;

  [[nodiscard]] Command jail(const char* source, const std::string& program, const Command& words = {}) const {
    fs::remove(folder / "log.jsonl");  // each run has the whole of a log's room
    Command all{JAIL, "run", "--monitor", source, "--audit", folder / "log.jsonl", folder / "bench.yaml", "--",
                folder / program};
    all.insert(all.end(), words.begin(), words.end());
    return all;
  }
};

void compare(const char* what, const char* unit, int rounds, const std::function<double(const char*)>& measure) {
  std::vector<double> all[std::size(kSources)], more[std::size(kSources)];
  for (int round = -1; round < rounds; ++round) {
    double first = 0;
    for (std::size_t i = 0; i < std::size(kSources); ++i) {
      const double value = measure(kSources[i]);
      if (i == 0) first = value;
      if (round < 0) continue;  // programs are loaded, files come in
      all[i].push_back(value);
      more[i].push_back(value - first);
    }
  }
  std::printf("%s, median of %d rounds, in turn:\n", what, rounds);
  for (std::size_t i = 0; i < std::size(kSources); ++i)
    std::printf("  %-14s %9.3f %s   %+9.3f\n", kSources[i], median(all[i]), unit, median(more[i]));
}

}  // namespace

int main(int argc, char** argv) {
  const int rounds = argc > 1 ? std::atoi(argv[1]) : 200;
  const Scene scene;
  compare("open+close in a jail", "ns", std::max(rounds / 20, 3), [&](const char* source) {
    return open_and_close_ns(scene.jail(source, "bench_calls", {kFile}));
  });
  compare("start-up", "ms", rounds,
          [&](const char* source) { return start_up_ms(scene.jail(source, "bench_nothing")); });
}
