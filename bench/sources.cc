// What each source of events costs, measured in turn in one run, so that a noisy machine is noisy for all of them:
//   per call   open+close inside the same jail, unwatched, by notification, by eBPF
//   start-up   the same jail with a program that does nothing: as root with eBPF programs kept, and as an ordinary user
//              whose eBPF is that of a jaild, which is started for it
// As root, which eBPF needs; in a mount namespace of its own, with a BPF file system of its own.
// Usage: bench_sources [-s] [ROUNDS]. Prints medians, least values, and the medians of what each round has more than
// unwatched and than by notification of what is denied. -s: start-up alone.
#include <grp.h>
#include <sched.h>
#include <signal.h>
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
#include <string_view>
#include <vector>

extern char** environ;

namespace {

namespace fs = std::filesystem;
using Command = std::vector<std::string>;

constexpr const char* kFile = "/usr/share/common-licenses/Apache-2.0";  // of base-files: every Debian has it
enum class Who { Root, User };
struct Rival {
  const char* source;
  Who who = Who::Root;
  bool jaild = false;
};
// The first two of each are what the others are compared with.
const std::vector<Rival> kRoots{{"none"},     {"notify,denied"}, {"notify,all"}, {"ebpf,denied"},
                                {"ebpf,all"}, {"auto,denied"},   {"auto,all"}};
const std::vector<Rival> kUsers{{"none", Who::User},
                                {"notify,denied", Who::User},
                                {"auto,denied", Who::User},
                                {"auto,denied", Who::User, true},
                                {"ebpf,denied", Who::User, true},
                                {"ebpf,all", Who::User, true}};
constexpr uid_t kOrdinaryUser = 65534;

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<long>(values.size() / 2), values.end());
  return values[values.size() / 2];
}

pid_t spawn(const Command& command, Who who) {
  std::vector<char*> argv;
  for (const std::string& word : command) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  const pid_t pid = ::vfork();
  if (pid != 0) return pid;
  const bool is_user =
      who == Who::User && ::setgroups(0, nullptr) == 0 && ::setgid(kOrdinaryUser) == 0 && ::setuid(kOrdinaryUser) == 0;
  if (is_user || who == Who::Root) ::execve(argv[0], argv.data(), environ);
  ::_exit(127);
}

void run(const Command& command, Who who) {
  const pid_t pid = spawn(command, who);
  int status = 0;
  if (pid > 0 && ::waitpid(pid, &status, 0) == pid && status == 0) return;
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

double start_up_ms(const Command& command, Who who) {
  const auto start = std::chrono::steady_clock::now();
  run(command, who);
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

struct Scene {
  fs::path folder;
  pid_t jaild = 0;

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
    for (const char* user : {"log", "home"}) {
      fs::create_directory(folder / user);
      if (::chown((folder / user).c_str(), kOrdinaryUser, kOrdinaryUser) != 0) std::exit(1);
    }
    ::setenv("HOME", (folder / "home").c_str(), 1);
    for (const char* variable : {"XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"}) ::unsetenv(variable);
    jaild = spawn({JAILD, "--socket", socket()}, Who::Root);
    while (!fs::exists(socket())) ::usleep(1000);
  }
  ~Scene() {
    ::kill(jaild, SIGTERM);
    ::waitpid(jaild, nullptr, 0);
    fs::remove_all(folder);
  }
  Scene(const Scene&) = delete;
  Scene& operator=(const Scene&) = delete;

  [[nodiscard]] std::string socket() const { return folder / "jaild.sock"; }

  [[nodiscard]] Command jail(const Rival& rival, const std::string& program, const Command& words = {}) const {
    const fs::path log = folder / "log" / (rival.who == Who::Root ? "root.jsonl" : "user.jsonl");
    fs::remove(log);  // each run has the whole of a log's room
    const std::string broker = rival.jaild ? socket() : socket() + ".none";
    const fs::path profile = folder / "bench.yaml";
    Command all{JAIL, "run", "--monitor", rival.source, "--broker", broker, "--audit", log, profile, "--",
                folder / program};
    all.insert(all.end(), words.begin(), words.end());
    return all;
  }
};

void compare(const char* what, const char* unit, const std::vector<Rival>& rivals, int rounds,
             const std::function<double(const Rival&)>& measure) {
  std::vector<std::vector<double>> all(rivals.size());
  for (int round = -1; round < rounds; ++round)
    for (std::size_t i = 0; i < rivals.size(); ++i)
      if (const double value = measure(rivals[i]); round >= 0) all[i].push_back(value);  // first, programs are loaded
  const auto more = [&all](std::size_t i, std::size_t than) {
    std::vector<double> differences;
    for (std::size_t round = 0; round < all[i].size(); ++round)
      differences.push_back(all[i][round] - all[than][round]);
    return median(differences);
  };
  std::printf("%s, %d rounds, in turn:\n  %-20s %9s    %9s    %9s %9s\n", what, rounds, "", "median", "least", "> none",
              "> notify");
  for (std::size_t i = 0; i < rivals.size(); ++i)
    std::printf("  %-13s%-7s %9.3f %s %9.3f %s %+9.3f %+9.3f\n", rivals[i].source, rivals[i].jaild ? " jaild" : "",
                median(all[i]), unit, *std::min_element(all[i].begin(), all[i].end()), unit, more(i, 0), more(i, 1));
}

}  // namespace

int main(int argc, char** argv) {
  const bool start_up_alone = argc > 1 && std::string_view(argv[1]) == "-s";
  if (start_up_alone) --argc, ++argv;
  const int rounds = argc > 1 ? std::atoi(argv[1]) : 200;
  const Scene scene;
  const auto start_up = [&scene](const Rival& rival) {
    return start_up_ms(scene.jail(rival, "bench_nothing"), rival.who);
  };
  if (!start_up_alone)
    compare("open+close in a jail", "ns", kRoots, std::max(rounds / 20, 3), [&scene](const Rival& rival) {
      return open_and_close_ns(scene.jail(rival, "bench_calls", {kFile}));
    });
  compare("start-up as root", "ms", kRoots, rounds, start_up);
  compare("start-up as an ordinary user", "ms", kUsers, rounds, start_up);
}
