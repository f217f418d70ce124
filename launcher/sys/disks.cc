#include "sys/disks.h"

#include <fcntl.h>

#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <sstream>
#include <string_view>

#include "sys/file.h"

namespace jail::sys {
namespace {

constexpr std::size_t kMostNames = 4096;

// "ram0", not "ramdisk" or "rame": the kernel's own names (drivers/block/brd.c, zram_drv.c, loop.c).
bool is_one_of(std::string_view name, std::string_view kind) {
  if (!name.starts_with(kind) || name.size() == kind.size()) return false;
  return name.find_first_not_of("0123456789", kind.size()) == std::string_view::npos;
}

bool is_memory(const Disk& disk) { return is_one_of(disk.name, "ram") || is_one_of(disk.name, "zram"); }
bool is_loop(const Disk& disk) { return is_one_of(disk.name, "loop"); }

}  // namespace

std::vector<std::string> limitable(const std::vector<Disk>& disks) {
  std::vector<Disk> taken;
  std::ranges::copy_if(disks, std::back_inserter(taken), [](const Disk& disk) {
    return !disk.number.empty() && disk.size != 0 && !is_memory(disk);
  });
  std::ranges::stable_partition(taken, [](const Disk& disk) { return !is_loop(disk); });
  const auto carried = std::ranges::find_if(taken, is_loop);
  const auto whole = static_cast<std::size_t>(carried - taken.begin());
  taken.resize(std::min(taken.size(), std::max(whole, kMostDisks)));
  std::vector<std::string> numbers;
  for (const Disk& disk : taken) numbers.push_back(disk.number);
  return numbers;
}

std::vector<Disk> disks_of_machine() {
  const Fd all(::open("/sys/block", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  std::vector<Disk> disks;
  if (!all) return disks;
  for (const std::string& name : names_in(all, kMostNames)) {
    const std::string size = read_group_file(all, (name + "/size").c_str());
    disks.push_back({name, read_group_file(all, (name + "/dev").c_str()), std::strtoull(size.c_str(), nullptr, 10)});
  }
  return disks;
}

void lift_io_limits(const HeldGroup& group) noexcept {
  std::istringstream lines(read_group_file(group.folder(), "io.max"));
  for (std::string line; std::getline(lines, line);)
    (void)group.write("io.max", line.substr(0, line.find(' ')) + " rbps=max wbps=max riops=max wiops=max");
}

}  // namespace jail::sys
