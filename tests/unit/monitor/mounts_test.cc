// Which mounts may not answer, by a table on disk.
#include "monitor/mounts.h"

#include <gtest/gtest.h>

#include <fstream>

#include "../../scratch.h"

namespace jail::monitor {
namespace {

constexpr const char* kTable =
    "21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"
    "22 21 0:20 / /home rw shared:2 - nfs4 server:/home rw\n"
    "23 22 0:21 / /home/ann/cache rw - tmpfs tmpfs rw\n"
    "24 21 0:22 / /net rw - autofs -hosts rw\n"
    "25 21 0:23 / /mnt/two\\040words rw master:3 - fuse.sshfs host: rw\n"
    "26 21 0:24 / /mnt/covered rw - fuse.sshfs host: rw\n"
    "27 21 0:25 / /mnt/covered rw - tmpfs tmpfs rw\n";

class MountTable : public testing::Test {
 protected:
  Mounts of(const std::string& table) {
    const std::string path = scratch / "mountinfo";
    std::ofstream(path) << table;
    return Mounts(path);
  }
  test::Scratch scratch;
};

TEST_F(MountTable, TellsWhatMayNotAnswer) {
  Mounts mounts = of(kTable);
  for (const char* path : {"/", "/etc/passwd", "/home/ann/cache/x", "/homes", "/mnt/two", "/mnt/covered/x"})
    EXPECT_FALSE(mounts.may_hang(path)) << path;
  for (const char* path : {"/home", "/home/ann/.ssh", "/home/ann/cached", "/net/evil.example/x", "/mnt/two words/x"})
    EXPECT_TRUE(mounts.may_hang(path)) << path;
  EXPECT_TRUE(mounts.any_may_hang());
}

TEST_F(MountTable, OfLocalFileSystemsAnswers) {
  Mounts mounts = of("21 1 8:1 / / rw shared:1 - ext4 /dev/sda1 rw\n22 21 0:5 / /proc rw - proc proc rw\n");
  EXPECT_FALSE(mounts.any_may_hang());
}

TEST_F(MountTable, ThatCannotBeReadMayNotAnswer) {
  Mounts missing(scratch / "nothing");
  EXPECT_TRUE(missing.may_hang("/"));
  EXPECT_TRUE(missing.any_may_hang());
  EXPECT_TRUE(of("garbage\n").may_hang("/etc"));
}

}  // namespace
}  // namespace jail::monitor
