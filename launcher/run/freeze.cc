#include "run/freeze.h"

#include <signal.h>

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

#include "sys/process.h"
#include "sys/process_tree.h"

namespace jail::run {
namespace {

constexpr int kMostPasses = 100;

// Whom a number means: it is still that child's once its descriptor is open, or there is none.
Fd open_child(pid_t parent, pid_t child) {
  Fd opened = sys::try_pidfd_open(child);
  if (opened && std::ranges::count(sys::children_of(parent), child) != 0) return opened;
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
      for (const pid_t child : sys::children_of(parent)) {
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

bool runs_below(pid_t root) {
  std::vector<pid_t> parents{root};
  while (!parents.empty()) {
    const std::vector<pid_t> children = sys::children_of(parents.back());
    parents.pop_back();
    for (const pid_t child : children)
      if (sys::motion_of(child) == sys::Motion::Running) return true;
    parents.insert(parents.end(), children.begin(), children.end());
  }
  return false;
}

}  // namespace

Frozen Freezer::freeze() {
  awake_ = 0;
  by_group_ = group_ != nullptr && group_->freeze();
  return by_group_ ? Frozen::Whole : stop_all();
}

Frozen Freezer::stop_all() {
  if (!sys::can_list_children()) return Frozen::Partly;
  (void)sys::pidfd_send_signal(jail_.plugin.pidfd(), SIGSTOP);
  Sender sender(SIGSTOP);
  for (int pass = 0; pass < kMostPasses; ++pass) {
    const std::size_t before = sender.told();
    sender.send_below(jail_.plugin.pid());
    sender.send_below(jail_.init.pid());  // whose parent has ended
    if (pass > 0 && sender.told() == before) return Frozen::Whole;
  }
  return Frozen::Partly;
}

void Freezer::thaw() {
  if (std::exchange(by_group_, false)) return group_->thaw();
  Sender sender(SIGCONT);
  sender.send_below(jail_.plugin.pid());
  sender.send_below(jail_.init.pid());
  (void)sys::pidfd_send_signal(jail_.plugin.pidfd(), SIGCONT);
}

void Freezer::look() {
  if (by_group_ || jail_.plugin.pid() == 0) return;
  const bool running = sys::motion_of(jail_.plugin.pid()) == sys::Motion::Running ||
                       runs_below(jail_.plugin.pid()) || runs_below(jail_.init.pid());
  if (!running) return;
  ++awake_;
  (void)stop_all();
}

}  // namespace jail::run
