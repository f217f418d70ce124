#include "sys/delegation.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bit>
#include <cerrno>
#include <cstring>
#include <sstream>

#include "sys/machine.h"
#include "sys/process.h"
#include "sys/systemd.h"

namespace jail::sys::delegation {
namespace {

constexpr std::string_view kManagersLeaf = "/init.scope";
constexpr int kMostToMoveMs = 2000;
constexpr const char* kNoGroups = "no control groups of version 2 here";
// Not "jail-", by which jaild knows a plugin's group.
constexpr const char* kLeaf = "supervisor_of_jails";

struct Name {
  Controller controller;
  const char* name;
};
constexpr Name kNames[] = {{kMemory, "memory"}, {kPids, "pids"}, {kCpu, "cpu"}, {kIo, "io"}};

unsigned controllers_in(const std::string& words) {
  unsigned controllers = 0;
  std::istringstream stream(words);
  for (std::string word; stream >> word;)
    for (const Name& name : kNames)
      if (word == name.name) controllers |= name.controller;
  return controllers;
}

std::string names_of(unsigned controllers) {
  std::string text;
  for (const Name& name : kNames)
    if (controllers & name.controller) text.append(text.empty() ? "" : ", ").append(name.name);
  return text;
}

Fd open_folder(const std::string& path) { return Fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)); }

bool may_write(const Fd& folder, const char* name) {
  return ::faccessat(folder.get(), name, W_OK, AT_EACCESS) == 0;
}

bool is_there(const Fd& folder, const char* name) { return ::faccessat(folder.get(), name, F_OK, 0) == 0; }

// Empty: there is none.
const char* limit_of(const Fd& group) {
  for (const char* limit : kLimits)
    if (!is_no_limit(read_group_file(group, limit))) return limit;
  return "";
}

class Search {
 public:
  Search(const GroupTree& tree, pid_t self, unsigned wanted)
      : tree_(tree), self_(std::to_string(self)), wanted_(wanted) {}

  Place run() {
    std::string path = tree_.own;
    if (path.ends_with(std::string("/") + kLeaf)) path.resize(path.rfind('/'));  // we have got out of its way already
    for (bool own = true;; own = false) {
      const Fd group = open_folder(path);
      look_at(group, path, own);
      if (best_.support.controllers == wanted_ || path.size() <= tree_.top.size()) break;
      if (const char* limit = group ? limit_of(group) : ""; *limit != '\0') {
        say(path + " has a limit of its own (" + limit + "), which would not hold outside it");
        break;
      }
      path.resize(path.rfind('/'));
    }
    best_.support.why = why_;
    return std::move(best_);
  }

 private:
  void look_at(const Fd& group, const std::string& path, bool own) {
    const unsigned there = group ? controllers_in(read_group_file(group, "cgroup.controllers")) & wanted_ : 0;
    if (there == 0) return say("the kernel gives no controller to " + path);
    for (const char* file : {".", "cgroup.procs"})
      if (!may_write(group, file)) return say(path + " may not be used by uid " + std::to_string(::geteuid()));
    const unsigned on = controllers_in(read_group_file(group, "cgroup.subtree_control")) & wanted_;
    Place place{.parent = path, .entry = Place::Entry::AsWeAre, .support = {.controllers = on}, .own = {}};
    if (there != on && may_write(group, "cgroup.subtree_control")) add_what_can_be_given(group, own, there, place);
    const bool more_is_there = (there & ~place.support.controllers) != 0;
    if (more_is_there) say(path + " has other processes in it");
    else if (there != wanted_) say(path + " has no controller for " + names_of(wanted_ & ~there));
    if (std::popcount(place.support.controllers) > std::popcount(best_.support.controllers)) best_ = std::move(place);
  }

  // Only the highest group of all has no type; it may have both processes and groups with controllers.
  static bool is_used(const Fd& group) {
    return is_there(group, "cgroup.type") && !read_group_file(group, "cgroup.procs").empty();
  }

  void add_what_can_be_given(const Fd& group, bool own, unsigned there, Place& place) const {
    const bool used = is_used(group);
    const bool ours_alone = own && read_group_file(group, "cgroup.procs") == self_;
    if (used && !ours_alone) return;
    place.support.controllers |= there;
    if (used) place.entry = Place::Entry::ThroughALeaf;
  }

  // The nearest one says most to whom it belongs to.
  void say(std::string why) {
    if (why_.empty()) why_ = std::move(why);
  }

  const GroupTree& tree_;
  std::string self_;
  unsigned wanted_;
  Place best_;
  std::string why_;
};

int move_into_leaf(const Fd& parent) {
  if (::mkdirat(parent.get(), kLeaf, 0755) != 0 && errno != EEXIST) return errno;
  return write_group_file(parent, (std::string(kLeaf) + "/cgroup.procs").c_str(), "0");
}

// What is on already need not be ours to turn on.
int give_in(const Fd& parent, Controller controller) {
  if (controllers_in(read_group_file(parent, "cgroup.subtree_control")) & controller) return 0;
  for (const Name& name : kNames)
    if (name.controller == controller)
      return write_group_file(parent, "cgroup.subtree_control", std::string("+") + name.name);
  return EINVAL;
}

// Where a group outside `inside` would no longer be held to a limit that holds us. Empty: nowhere.
std::string limited_below(const GroupTree& tree, const std::string& inside) {
  std::string path = tree.own;
  while (path.size() > tree.top.size() && !(inside + "/").starts_with(path + "/")) {
    if (const Fd group = open_folder(path); !group || *limit_of(group) != '\0') return path;
    path.resize(path.rfind('/'));
  }
  return {};
}

// What the user's systemd may pass on: it is in a leaf of what is its own.
void look_for_scope(const GroupTree& tree, Place& place) {
  const auto manager = Systemd::of_user();
  const auto groups = manager ? find_groups(manager->pid()) : std::nullopt;
  if (!groups || !groups->own.ends_with(kManagersLeaf)) return;
  const std::string base = groups->own.substr(0, groups->own.size() - kManagersLeaf.size());
  const unsigned wanted = kAll | place.needed;
  const unsigned controllers = controllers_in(read_group_file(open_folder(base), "cgroup.controllers")) & wanted;
  if (std::popcount(controllers) <= std::popcount(place.support.controllers)) return;
  const std::string limited = limited_below(tree, base);
  if (!limited.empty()) {
    place.support.why += "; for a scope of systemd's we would leave " + limited + ", which has a limit of its own";
    return;
  }
  place.support.controllers = controllers;
  place.entry = Place::Entry::ThroughAScope;
}

std::string own_scope() { return "supervisor_of_jail-" + std::to_string(::getpid()) + ".scope"; }

// Empty, or why we are still where we were.
std::string enter_scope(std::optional<Systemd> systemd, const std::string& name) {
  if (std::string problem = systemd ? systemd->start_scope(name) : "it has gone"; !problem.empty()) return problem;
  for (int waited_ms = 0; waited_ms < kMostToMoveMs; ++waited_ms) {
    const auto tree = find_groups();
    if (tree && tree->own.ends_with("/" + name)) return {};
    (void)::poll(nullptr, 0, 1);
  }
  return "it has not moved us";
}

// A group of threads cannot take a process in (cgroup-v2.rst, "Threads").
void drop_of_threads(std::optional<Cgroup>& group, std::string& why) {
  if (read_group_file(group->folder(), "cgroup.type") == "domain") return;
  why = group->path() + " is for threads";
  group.reset();
}

}  // namespace

Place find_in(const GroupTree& tree, pid_t self, unsigned needed) {
  Place place = Search(tree, self, kAll | needed).run();
  place.own = tree.own;
  place.needed = needed;
  place.support.ram = memory_of_machine().ram;
  return place;
}

Place find(unsigned needed) {
  Place place;
  place.support.why = kNoGroups;
  const auto tree = find_groups();
  if (!tree) return place;
  place = find_in(*tree, ::getpid(), needed);
  if ((needed & ~place.support.controllers) != 0 && ::geteuid() != 0) look_for_scope(*tree, place);
  return place;
}

bool is_no_limit(std::string_view text) {
  return text.empty() || text == "max" || text.starts_with("max ");  // "max 100000": cpu.max
}

std::string enter_scope_of_machine(const std::string& name) {
  auto systemd = Systemd::of_machine();
  return systemd ? enter_scope(std::move(systemd), name) : "";
}

bool counts_swap(const Fd& group) { return is_there(group, "memory.swap.max") || memory_of_machine().swap == 0; }

unsigned pass_on(const Fd& group) {
  for (const Name& name : kNames) (void)give_in(group, name.controller);
  return controllers_in(read_group_file(group, "cgroup.subtree_control"));
}

int give(const Place& place, Controller controller) { return give_in(open_folder(place.parent), controller); }

void leave(const Place& place) noexcept {
  if (place.entry != Place::Entry::ThroughALeaf) return;
  const Fd parent = open_folder(place.parent);
  (void)write_group_file(parent, "cgroup.subtree_control", "-memory -pids");
  for (const char* on_demand : {"-cpu", "-io"})
    (void)write_group_file(parent, "cgroup.subtree_control", on_demand);
  if (write_group_file(parent, "cgroup.procs", "0") == 0) (void)::unlinkat(parent.get(), kLeaf, AT_REMOVEDIR);
}

// The controllers of the processor and of block devices cost those beside it something and are given when they are
// asked for.
std::optional<Cgroup> make(Place& place, const std::string& name) {
  if (place.entry == Place::Entry::ThroughAScope) {
    const std::string problem = enter_scope(Systemd::of_user(), own_scope());
    place = find(place.needed);
    if (!problem.empty()) place.support.why += "; systemd gives no scope: " + problem;
  }
  Support& support = place.support;
  if (support.controllers == 0) return std::nullopt;
  const Fd parent = open_folder(place.parent);
  int error = 0;
  if (place.entry == Place::Entry::ThroughALeaf) error = move_into_leaf(parent);
  for (const Controller controller : {kMemory, kPids})
    if (error == 0 && (support.controllers & controller)) error = give_in(parent, controller);
  std::optional<Cgroup> group;
  if (error != 0) support.why = "giving controllers to groups in " + place.parent + ": " + std::strerror(error);
  else group = Cgroup::make(place.parent, name, support.why);
  if (group) drop_of_threads(group, support.why);
  if (!group) support.controllers = 0;
  else support.counts_swap = counts_swap(group->folder());
  return group;
}

// clone3(2) asks for the right to move a process from our group there; a container's filter may have put it away.
std::optional<Cgroup> make_bare(const Place& place, const std::string& name, std::string& why) {
  if (place.own.empty()) why = kNoGroups;
  else if (!may_write(open_folder(place.own), "cgroup.procs"))
    why = place.own + " may not be used by uid " + std::to_string(::geteuid());
  else if (!can_fork_into_group()) why = "no clone3 here";
  if (!why.empty()) return std::nullopt;
  std::optional<Cgroup> group = Cgroup::make(place.own, name, why);
  if (group) drop_of_threads(group, why);
  return group;
}

}  // namespace jail::sys::delegation
