#include "sys/process_tree.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
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
constexpr int kFirstAfterName = 3, kParent = 4, kUserTime = 14, kSystemTime = 15, kBetweenOwnAndChildren = 2;
constexpr int kThreads = 20, kResident = 24;
constexpr int kMostFoldersRead = 16;  // of open descriptors, each time

std::uint64_t number_in(std::string_view word) {
  std::uint64_t number = 0;
  (void)std::from_chars(word.data(), word.data() + word.size(), number);
  return number;
}

std::string stat_of(pid_t process) {
  std::array<char, 1024> stat;
  const Fd file(::open(("/proc/" + std::to_string(process) + "/stat").c_str(), O_RDONLY | O_CLOEXEC));
  const ssize_t size = file ? ::read(file.get(), stat.data(), stat.size()) : 0;
  return {stat.data(), static_cast<std::size_t>(std::max<ssize_t>(size, 0))};
}

std::uint64_t number_of_field(std::string_view stat, int wanted) {
  stat.remove_prefix(std::min(stat.rfind(')'), stat.size()));
  for (int field = kFirstAfterName - 1; field < wanted && !stat.empty(); ++field)
    stat.remove_prefix(std::min(stat.find(' '), stat.size() - 1) + 1);
  return number_in(stat.substr(0, stat.find(' ')));
}

void add_use(std::string_view stat, Use& use) {
  if (stat.empty()) return;
  static const auto kTicksPerSecond = static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK));
  static const auto kPage = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  const auto ms_of = [stat](int field) {
    const std::uint64_t ticks = number_of_field(stat, field) + number_of_field(stat, field + kBetweenOwnAndChildren);
    return ticks * 1000 / kTicksPerSecond;
  };
  ++use.processes;
  use.user_ms += ms_of(kUserTime);
  use.system_ms += ms_of(kSystemTime);
  use.memory += number_of_field(stat, kResident) * kPage;
}

// How many descriptors its table has room for: what the kernel has made of the highest that it ever had.
std::uint64_t size_of_table(pid_t process) {
  std::ifstream status("/proc/" + std::to_string(process) + "/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("FDSize:")) return std::strtoull(line.c_str() + sizeof "FDSize:", nullptr, 10);
  return 0;
}

std::uint64_t entries_of(const std::string& folder) {
  std::uint64_t entries = 0;
  std::error_code gone;
  for (std::filesystem::directory_iterator entry(folder, gone), end; !gone && entry != end; entry.increment(gone))
    ++entries;
  return entries;
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

pid_t parent_of(pid_t process) { return static_cast<pid_t>(number_of_field(stat_of(process), kParent)); }

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

std::vector<pid_t> with_all_below(std::vector<pid_t> roots) {
  std::vector<pid_t> known = std::move(roots);
  for (std::size_t i = 0; i < known.size(); ++i)
    for (const pid_t child : children_of(known[i]))
      if (known.size() < kMostCounted) known.push_back(child);
  return known;
}

Use use_of(const std::vector<pid_t>& processes) {
  Use use;
  for (const pid_t process : processes) add_use(stat_of(process), use);
  return use;
}

std::uint64_t threads_of(const std::vector<pid_t>& processes) {
  std::uint64_t threads = 0;
  for (const pid_t process : processes) threads += number_of_field(stat_of(process), kThreads);
  return threads;
}

std::uint64_t most_descriptors(const std::vector<pid_t>& processes, std::uint64_t interesting) {
  std::uint64_t most = 0;
  int counted = 0;
  for (const pid_t process : processes) {
    const std::string folder = "/proc/" + std::to_string(process) + "/fd";
    struct stat found {};
    if (::stat(folder.c_str(), &found) != 0) continue;
    std::uint64_t here = static_cast<std::uint64_t>(found.st_size);
    if (here == 0 && size_of_table(process) >= interesting && counted++ < kMostFoldersRead) here = entries_of(folder);
    if (here >= interesting) most = std::max(most, here);
  }
  return most;
}

}  // namespace jail::sys
