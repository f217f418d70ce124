#include "run/freeze.h"

#include <signal.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <vector>

#include "sys/process.h"

namespace jail::run {
namespace {

constexpr int kMostPasses = 100;

// Of all its threads; none where it has ended meanwhile.
std::vector<pid_t> children_of(pid_t parent) {
  std::vector<pid_t> children;
  std::error_code gone;
  const std::string tasks = "/proc/" + std::to_string(parent) + "/task";
  for (std::filesystem::directory_iterator task(tasks, gone), end; !gone && task != end; task.increment(gone)) {
    std::ifstream list(task->path() / "children");
    for (pid_t child = 0; list >> child;) children.push_back(child);
  }
  return children;
}

// Whom a number means: it is still that child's once its descriptor is open, or there is none.
Fd open_child(pid_t parent, pid_t child) {
  Fd opened = sys::try_pidfd_open(child);
  if (opened && std::ranges::count(children_of(parent), child) != 0) return opened;
  return {};
}

class Sender {
 public:
  explicit Sender(int signal) : signal_(signal) {}

  void send_below(pid_t root) {
    std::vector<pid_t> parents{root};
    while (!parents.empty()) {
      const pid_t parent = parents.back();
      parents.pop_back();
      for (const pid_t child : children_of(parent)) {
        parents.push_back(child);
        if (!told_.insert(child).second) continue;
        if (const Fd opened = open_child(parent, child)) (void)sys::pidfd_send_signal(opened, signal_);
      }
    }
  }
  [[nodiscard]] std::size_t told() const { return told_.size(); }

 private:
  int signal_;
  std::set<pid_t> told_;
};

bool can_list() { return std::filesystem::exists("/proc/thread-self/children"); }

}  // namespace

Frozen freeze(const Jail& jail) {
  if (!can_list()) return Frozen::Partly;
  (void)sys::pidfd_send_signal(jail.plugin.pidfd(), SIGSTOP);
  Sender sender(SIGSTOP);
  for (int pass = 0; pass < kMostPasses; ++pass) {
    const std::size_t before = sender.told();
    sender.send_below(jail.plugin.pid());
    sender.send_below(jail.init.pid());  // whose parent has ended
    if (pass > 0 && sender.told() == before) return Frozen::Whole;
  }
  return Frozen::Partly;
}

void thaw(const Jail& jail) {
  Sender sender(SIGCONT);
  sender.send_below(jail.plugin.pid());
  sender.send_below(jail.init.pid());
  (void)sys::pidfd_send_signal(jail.plugin.pidfd(), SIGCONT);
}

}  // namespace jail::run
