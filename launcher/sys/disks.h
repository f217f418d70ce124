// The block devices that a control group's io.max may name: whole disks, by number (sysfs-block, cgroup-v2.rst "IO").
//
// The kernel holds a request up at each device that it passes. What goes to one upon others (device mapper, md, loop
// over a file) is held there and once more below, as that of the same group: at the same rate, so that it waits no
// longer. All are taken: what is below a loop may be no disk. Memory that calls itself one is not (ram, zram).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sys/cgroup.h"

namespace jail::sys {

struct Disk {
  std::string name;        // "sda"
  std::string number;      // "8:0"; empty: nobody can name it (a path of nvme's behind another)
  std::uint64_t size = 0;  // sectors; 0: nothing is behind it yet
};

// Where there are more, loops are left out, of which a machine may have hundreds (snap): the disks of their files hold
// what they carry.
inline constexpr std::size_t kMostDisks = 64;

// The numbers of those that can be limited, loops last.
std::vector<std::string> limitable(const std::vector<Disk>& disks);

// Of this machine, as of now. Empty: there is none, or /sys/block is not to be seen.
std::vector<Disk> disks_of_machine();

// Whatever stands in its io.max: what waits there for its turn goes on at once.
void lift_io_limits(const HeldGroup& group) noexcept;

}  // namespace jail::sys
