#include "monitor/plugin_files.h"

#include <gtest/gtest.h>

#include "../../scratch.h"
#include "base/sha256.h"

namespace jail::monitor {
namespace {

class PluginTree : public ::testing::Test {
 protected:
  void SetUp() override {
    scratch.folder("p/sub/deep");
    scratch.file("p/main.py", "main\n");
    scratch.file("p/sub/a.py", "a\n");
    scratch.file("p/sub/deep/.b.py", "b\n");
    scratch.file("p/readme", "not hashed\n");
  }

  [[nodiscard]] std::vector<HashedFiles> patterns(const std::vector<std::string>& globs) const {
    std::vector<HashedFiles> all;
    for (const std::string& glob : globs) all.push_back({profile::parse_glob(scratch / glob), {scratch / glob, {}}});
    return all;
  }
  [[nodiscard]] PluginFiles found(const std::vector<std::string>& globs, const confine::TreeBounds& bounds = {}) const {
    return read_plugin_files(patterns(globs), bounds);
  }
  [[nodiscard]] event::PluginFile file(const std::string& name, const std::string& content) const {
    return {scratch / name, sha256_hex(content), ""};
  }
  [[nodiscard]] event::PluginFile problem(const std::string& name, const std::string& words) const {
    return {scratch / name, "", words};
  }

  test::Scratch scratch;
};

using Files = std::vector<event::PluginFile>;
using Counts = std::vector<std::uint64_t>;

TEST_F(PluginTree, EveryMatchHasItsDigest) {
  const PluginFiles all = found({"p/**/*.py"});
  EXPECT_EQ(all.files, (Files{file("p/main.py", "main\n"), file("p/sub/a.py", "a\n"),
                              file("p/sub/deep/.b.py", "b\n")}));
  EXPECT_TRUE(all.limits.empty());
  EXPECT_EQ(all.matches, Counts{3});
}

TEST_F(PluginTree, AFileThatTwoPatternsMeanIsThereOnce) {
  const PluginFiles all = found({"p/*.py", "p/main.py", "p/*.none"});
  EXPECT_EQ(all.files, Files{file("p/main.py", "main\n")});
  EXPECT_EQ(all.matches, (Counts{1, 1, 0}));
  EXPECT_EQ(count_matches(patterns({"p/*.py", "p/main.py", "p/*.none", "none/*"})), (Counts{1, 1, 0, 0}));
}

TEST_F(PluginTree, WhatIsNoFileIsSaidSo) {
  scratch.link("p/shadow.py", "/etc/shadow");
  scratch.fifo("p/fifo.py");
  scratch.link("p/zero.py", "/dev/zero");
  scratch.link("p/up", "..");
  const std::string link = "a link, which is not followed";
  EXPECT_EQ(found({"p/*.py"}).files, (Files{problem("p/fifo.py", "a fifo, not a file"), file("p/main.py", "main\n"),
                                            problem("p/shadow.py", link), problem("p/zero.py", link)}));
  EXPECT_EQ(found({"p/**/main.py"}).files, Files{file("p/main.py", "main\n")}) << "not through 'up'";
}

TEST_F(PluginTree, HostileNamesAreKeptAsTheyAre) {
  scratch.file("p/x\n\x1b[2J\xff.py", "x");
  EXPECT_EQ(found({"p/x*.py"}).files, Files{file("p/x\n\x1b[2J\xff.py", "x")});
}

TEST_F(PluginTree, WhatIsBeyondABoundIsSaid) {
  const PluginFiles bytes = found({"p/**/*.py"}, {.bytes = 6});
  EXPECT_EQ(bytes.files, (Files{file("p/main.py", "main\n"), problem("p/sub/a.py", "more than 6 B in all"),
                                problem("p/sub/deep/.b.py", "more than 6 B in all")}));
  const PluginFiles depth = found({"p/**/*.py"}, {.depth = 1});
  EXPECT_EQ(depth.files.back(), problem("p/sub/deep", "more than 1 folders deep: not looked into"));
  const PluginFiles entries = found({"p/**/*.py"}, {.entries = 2});
  ASSERT_EQ(entries.limits.size(), 1U);
  EXPECT_EQ(entries.limits[0], (event::LimitReached{"monitor.hash.entries", 2, 2}));
}

TEST_F(PluginTree, FilesBeyondTheMostAreCounted) {
  scratch.folder("many");
  for (std::uint64_t i = 0; i < kMostPluginFiles + 7; ++i) scratch.file("many/" + std::to_string(i));
  const PluginFiles all = found({"many/*"});
  EXPECT_EQ(all.files.size(), kMostPluginFiles);
  ASSERT_EQ(all.limits.size(), 1U);
  EXPECT_EQ(all.limits[0], (event::LimitReached{"monitor.hash.files", kMostPluginFiles + 7, kMostPluginFiles}));
}

TEST_F(PluginTree, APathTooLongToBeOpenedIsSaid) {
  int folder = ::open((scratch / "p").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const std::string name(255, 'x');
  for (int i = 0; i < 20; ++i) {
    ASSERT_EQ(::mkdirat(folder, name.c_str(), 0755), 0);
    const int below = ::openat(folder, name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    (void)::close(folder);
    folder = below;
  }
  (void)::close(folder);
  const event::PluginFile last = found({"p/**/*.py"}).files.back();
  EXPECT_EQ(last.problem, "it holds a path too long to be told");
  EXPECT_LT(last.path.size(), 4096U);
}

TEST_F(PluginTree, AnUnreadableFolderIsSaid) {
  if (::geteuid() == 0) GTEST_SKIP() << "root reads everything: tests/cli/plugin_file_test.py tries it as a user";
  scratch.folder("p/sub", 0);
  EXPECT_EQ(found({"p/**/*.py"}).files.back(), problem("p/sub", "Permission denied"));
  scratch.folder("p/sub", 0755);
}

}  // namespace
}  // namespace jail::monitor
