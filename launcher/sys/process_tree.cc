#include "sys/process_tree.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>

#include "base/fd.h"

namespace jail::sys {
namespace {

// The number of proc_pid_stat(5); its second, the name, may hold anything but ends with the last ')'.
constexpr int kFirstAfterName = 3, kUserTime = 14, kLastTime = 17, kResident = 24;

std::uint64_t number_in(std::string_view word) {
  std::uint64_t number = 0;
  (void)std::from_chars(word.data(), word.data() + word.size(), number);
  return number;
}

void add_use(std::string_view stat, TreeUse& use) {
  const std::size_t name_end = stat.rfind(')');
  if (name_end == std::string_view::npos) return;
  stat.remove_prefix(std::min(name_end + 2, stat.size()));
  std::uint64_t ticks = 0;
  std::uint64_t pages = 0;
  for (int field = kFirstAfterName; field <= kResident && !stat.empty(); ++field) {
    const std::string_view word = stat.substr(0, stat.find(' '));
    stat.remove_prefix(std::min(word.size() + 1, stat.size()));
    if (field >= kUserTime && field <= kLastTime) ticks += number_in(word);
    if (field == kResident) pages = number_in(word);
  }
  static const auto kTicksPerSecond = static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK));
  static const auto kPage = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  ++use.processes;
  use.cpu_ms += ticks * 1000 / kTicksPerSecond;
  use.memory += pages * kPage;
}

// By the third word of proc_pid_stat(5).
Motion motion_in(std::string_view stat) {
  const std::size_t name_end = stat.rfind(')');
  if (name_end == std::string_view::npos || stat.size() < name_end + 3) return Motion::None;
  const char state = stat[name_end + 2];
  if (state == 'D') return Motion::InKernel;
  return std::string_view("TtZX").find(state) == std::string_view::npos ? Motion::Running : Motion::None;
}

}  // namespace

bool can_list_children() { return std::filesystem::exists("/proc/thread-self/children"); }

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

Motion motion_of(pid_t process) {
  Motion most = Motion::None;
  std::error_code gone;
  const std::string tasks = "/proc/" + std::to_string(process) + "/task";
  for (std::filesystem::directory_iterator task(tasks, gone), end; !gone && task != end; task.increment(gone)) {
    std::ifstream file(task->path() / "stat");
    const std::string stat(std::istreambuf_iterator<char>(file), {});
    most = std::max(most, motion_in(stat));
  }
  return most;
}

TreeUse use_of_trees(std::vector<pid_t> roots) {
  TreeUse use;
  std::vector<pid_t> known = std::move(roots);
  for (std::size_t i = 0; i < known.size(); ++i) {
    std::array<char, 1024> stat;
    const Fd file(::open(("/proc/" + std::to_string(known[i]) + "/stat").c_str(), O_RDONLY | O_CLOEXEC));
    const ssize_t size = file ? ::read(file.get(), stat.data(), stat.size()) : -1;
    if (size <= 0) continue;
    add_use({stat.data(), static_cast<std::size_t>(size)}, use);
    for (const pid_t child : children_of(known[i]))
      if (known.size() < kMostCounted) known.push_back(child);
  }
  return use;
}

}  // namespace jail::sys
