#include "sys/disks.h"

#include <gtest/gtest.h>

namespace jail::sys {
namespace {

using Numbers = std::vector<std::string>;

TEST(Disks, ThoseThatHaveASizeAndANumberAndAreNoMemory) {
  EXPECT_EQ(limitable({{"sda", "8:0", 4096},
                       {"sdb", "8:16", 0},  // a reader without a card
                       {"ram0", "1:0", 8192},
                       {"zram1", "252:1", 8192},
                       {"nvme0c0n1", "", 4096},  // a path of nvme0n1
                       {"rampart", "251:0", 1},
                       {"dm-0", "253:0", 4096},
                       {"md127", "9:127", 4096}}),
            (Numbers{"8:0", "251:0", "253:0", "9:127"}));
  EXPECT_EQ(limitable({}), Numbers{});
}

TEST(Disks, LoopsComeLastAndAreTheFirstToBeLeftOut) {
  std::vector<Disk> disks;
  for (std::size_t i = 0; i < kMostDisks; ++i)
    disks.push_back({"loop" + std::to_string(i), "7:" + std::to_string(i), 8});
  EXPECT_EQ(limitable(disks).size(), kMostDisks);
  disks.push_back({"sda", "8:0", 4096});
  disks.push_back({"loop", "99:0", 4096});
  const Numbers numbers = limitable(disks);
  ASSERT_EQ(numbers.size(), kMostDisks);
  EXPECT_EQ((Numbers{numbers[0], numbers[1], numbers[2]}), (Numbers{"8:0", "99:0", "7:0"}));
}

TEST(Disks, OfThisMachineHaveNames) {
  for (const Disk& disk : disks_of_machine()) EXPECT_NE(disk.name, "");
}

}  // namespace
}  // namespace jail::sys
