#include "broker/groups.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <utility>

#include "base/error.h"
#include "sys/delegation.h"
#include "sys/disks.h"
#include "sys/process.h"
#include "sys/process_tree.h"
#include "sys/socket.h"

namespace jail::broker {
namespace {

constexpr int kAgainMs = 20;
constexpr const char* kEnded = "the child has ended";

// False: not with these descriptors (ETOOMANYREFS), or there is nobody any more.
bool reply(const Fd& link, GroupDone done, std::string_view refused, std::span<const int> descriptors = {}) {
  refused.copy(done.refused, sizeof done.refused - 1);
  while (!sys::try_send_message(link, std::as_bytes(std::span(&done, 1)), descriptors)) {
    if (errno != EAGAIN) return false;
    pollfd room{link.get(), POLLOUT, 0};
    (void)::poll(&room, 1, -1);
  }
  return true;
}

// What its holder may write, too, by descriptors of its own: a lock on ours would be one on theirs.
std::vector<Fd> open_for_holder(const sys::Cgroup& group, std::uint32_t& files) {
  std::vector<Fd> opened;
  opened.emplace_back(::openat(group.folder().get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  for (std::size_t i = 0; i < kLentFiles.size(); ++i) {
    Fd file(::openat(group.folder().get(), kLentFiles[i], O_WRONLY | O_CLOEXEC));
    if (!file) continue;
    files |= 1U << i;
    opened.push_back(std::move(file));
  }
  return opened;
}

// The first of "Uid:" in /proc/PID/status; empty: it has ended.
std::string real_user_of(pid_t process) {
  std::ifstream status("/proc/" + std::to_string(process) + "/status");
  std::string word;
  while (status >> word)
    if (word == "Uid:") return status >> word ? word : "";
  return {};
}

// Whoever is to end needs the processor for it, and what it waits for of a disk; its holder may have set what it has.
void kill_all(const sys::Cgroup& group) {
  (void)group.write("cpu.max", "max");
  sys::lift_io_limits(group);
  (void)group.write("cgroup.kill", "1");
}

}  // namespace

std::optional<Groups> Groups::make(std::string& why) {
  namespace delegation = sys::delegation;
  const std::string pid = std::to_string(::getpid());
  why = delegation::enter_scope_of_machine("jails-" + pid + ".scope");
  auto mount = sys::find_group_mount();
  delegation::Place place = delegation::find();
  if (!mount || place.support.controllers == 0) {
    why = why.empty() ? place.support.why : "systemd gives no scope: " + why;
    return std::nullopt;
  }
  sys::sweep_groups(Fd(::open(place.parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)), "jaild-");
  std::optional<sys::Cgroup> base = delegation::make(place, "jaild-" + pid);
  for (const auto on_demand : {delegation::kCpu, delegation::kIo})
    if (base) (void)delegation::give(place, on_demand);
  const unsigned controllers = base ? delegation::pass_on(base->folder()) : 0;
  why = !base ? place.support.why : controllers == 0 ? "no controllers for groups in " + base->path() : "";
  if (!why.empty()) return std::nullopt;
  return Groups(std::move(*base), std::move(*mount), controllers);
}

Groups::Groups(sys::Cgroup base, sys::GroupMount mount, unsigned controllers)
    : base_(std::move(base)),
      mount_(std::move(mount)),
      controllers_(controllers),
      mirror_(base_.path(), mount_.folder) {}

void Groups::serve(const Fd& link) {
  if (!reply(link, {.controllers = controllers_}, {})) return;
  for (bool is_tidy = true;;) {
    pollfd polled{link.get(), POLLIN, 0};
    const int ready = check(TEMP_FAILURE_RETRY(::poll(&polled, 1, is_tidy ? -1 : kAgainMs)), "poll");
    if (ready != 0) {
      const sys::Message message = sys::receive_message(link);
      if (message.bytes.empty()) return;
      GroupOrder order;
      if (message.bytes.size() != sizeof order) continue;
      std::memcpy(&order, message.bytes.data(), sizeof order);
      carry_out(link, order, message.descriptors);
    }
    is_tidy = tidy(link);
  }
}

void Groups::carry_out(const Fd& link, const GroupOrder& order, const std::vector<Fd>& processes) {
  using What = GroupOrder::What;
  const auto lent = lent_.find(order.group);
  if (order.what == What::Leave) return end(link, order.group);
  if (order.what == What::Make && lent == lent_.end() && processes.size() == 2)
    return lend(link, order, processes[0], processes[1]);
  if (order.what == What::Join && lent != lent_.end() && processes.size() == 1)
    return (void)reply(link, {.what = order.what, .group = order.group}, take_in(lent->second, processes[0]));
  (void)reply(link, {.what = order.what, .group = order.group}, "there is no such group");
}

void Groups::lend(const Fd& link, const GroupOrder& order, const Fd& asks, const Fd& child) {
  GroupDone done{.group = order.group, .controllers = controllers_};
  const std::optional<Asker> asker = look_at(asks);
  if (!asker) return (void)reply(link, done, "who asks has ended, or cannot be seen");
  std::string why;
  std::optional<sys::Cgroup> group = make_for(*asker, child, why);
  if (!group) return (void)reply(link, done, why);
  std::vector<Fd> opened = open_for_holder(*group, done.files);
  opened.emplace(opened.begin(), ::open(asker->folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  std::vector<int> descriptors;
  for (const Fd& fd : opened) descriptors.push_back(fd.get());
  lent_.emplace(order.group, std::move(*group));
  if (!reply(link, done, {}, descriptors)) (void)reply(link, done, "too many descriptors are under way");
}

std::optional<Groups::Asker> Groups::look_at(const Fd& asks) const {
  const pid_t number = sys::number_of(asks);
  const auto folder = number == 0 ? std::nullopt : sys::group_folder(mount_, number);
  return folder && sys::has_its_number(asks) ? std::optional(Asker{number, *folder}) : std::nullopt;
}

// Its holder is to read in it, and has no lock on it to take: ours was there first.
std::optional<sys::Cgroup> Groups::make_for(const Asker& asker, const Fd& child, std::string& why) {
  const auto around = mirror_.enter(asker.folder, why);
  if (!around) return std::nullopt;
  const std::string name = "jail-" + std::to_string(asker.number) + "-" + std::to_string(sys::number_of(child));
  auto group = sys::Cgroup::make(*around, name, why);
  if (group && ::fchmod(group->folder().get(), 0755) != 0) why = std::strerror(errno);
  if (group && why.empty()) why = take_in(*group, child);
  if (why.empty()) return group;
  if (group) ended_.push_back({0, std::move(*group)});  // somebody of the asker's may be in it all the same
  return std::nullopt;
}

std::string Groups::take_in(const sys::Cgroup& group, const Fd& child) const {
  const pid_t number = sys::number_of(child);
  if (number == 0) return kEnded;
  const int error = group.write("cgroup.procs", std::to_string(number));
  if (error != 0) return std::string("moving the child into its control group: ") + std::strerror(error);
  const bool is_in = sys::group_folder(mount_, number) == group.path();
  if (is_in && sys::has_its_number(child)) return {};
  if (is_in) put_back(number);
  return kEnded;
}

// Whoever has got the number since the look was forked since then, into the group of who forked it: its parent, unless
// that has ended. Who asks may see to that, for a process of its own, which would then go where a reaper of root's is.
// But the forked and its parent are of one user, the handed on and its reaper are not.
void Groups::put_back(pid_t number) const {
  const pid_t parent = sys::parent_of(number);
  const bool is_parents = parent != 0 && real_user_of(parent) == real_user_of(number);
  const auto from = is_parents ? sys::group_folder(mount_, parent) : std::nullopt;
  const Fd group(from ? ::open(from->c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1);
  if (group) (void)sys::write_group_file(group, "cgroup.procs", std::to_string(number));
}

void Groups::end(const Fd& link, std::uint64_t number) {
  auto node = lent_.extract(number);
  if (node.empty()) return (void)reply(link, {.what = GroupOrder::What::Leave, .group = number}, {});
  kill_all(node.mapped());
  ended_.push_back({number, std::move(node.mapped())});
}

bool Groups::tidy(const Fd& link) {
  std::erase_if(ended_, [&link](Ended& ended) {
    if (!ended.group.remove()) {
      kill_all(ended.group);  // again: Linux before 6.14 may miss who was being forked
      return false;
    }
    if (ended.number != 0) (void)reply(link, {.what = GroupOrder::What::Leave, .group = ended.number}, {});
    return true;
  });
  mirror_.tidy();
  return ended_.empty();
}

}  // namespace jail::broker
