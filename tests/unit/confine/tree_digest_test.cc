// On real trees, also hostile ones. tests/cli/digest_test.py computes the same digests without us.
#include "confine/tree_digest.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <atomic>
#include <cstring>
#include <set>
#include <thread>

#include "../../scratch.h"
#include "base/clock.h"
#include "base/sha256.h"

namespace jail::confine {
namespace {

class Tree : public ::testing::Test {
 protected:
  void SetUp() override {
    scratch.folder("t");
    scratch.folder("t/sub");
    scratch.file("t/plugin.py", "print(1)\n");
    scratch.file("t/sub/a.py", "pass\n");
    scratch.link("t/link", "plugin.py");
  }

  [[nodiscard]] TreeDigest taken(const TreeBounds& bounds = {}) const { return digest_tree(scratch / "t", bounds); }
  [[nodiscard]] std::string digest() const {
    const TreeDigest result = taken();
    EXPECT_EQ(result.problem, "");
    return result.sha256;
  }
  [[nodiscard]] std::string listing() const {
    std::string all;
    (void)digest_tree(scratch / "t", {}, [&](std::string_view piece) { all += piece; });
    return all;
  }
  void expect_problem(const TreeDigest& result, const std::string& words) const {
    EXPECT_EQ(result.sha256, "");
    EXPECT_NE(result.problem.find(words), std::string::npos) << result.problem;
  }

  test::Scratch scratch;
};

TEST_F(Tree, IsTheDigestOfItsListing) {
  const std::string wanted = "jail-tree 1\nd 0755 - 0:\nl 0777 " + sha256_hex("plugin.py") + " 4:link\nf 0644 " +
                             sha256_hex("print(1)\n") + " 9:plugin.py\nd 0755 - 3:sub\nf 0644 " +
                             sha256_hex("pass\n") + " 8:sub/a.py\n";
  EXPECT_EQ(listing(), wanted);
  EXPECT_EQ(digest(), sha256_hex(wanted));
}

TEST_F(Tree, OfOneFile) {
  const TreeDigest file = digest_tree(scratch / "t/plugin.py");
  EXPECT_EQ(file.sha256, sha256_hex("jail-tree 1\nf 0644 " + sha256_hex("print(1)\n") + " 0:\n"));
}

// Each of these is a change that somebody would like to make unseen.
TEST_F(Tree, IsAnotherAfterEveryChange) {
  std::set<std::string> seen{digest()};
  const auto changed = [&](const char* what) { EXPECT_TRUE(seen.insert(digest()).second) << what; };
  scratch.file("t/plugin.py", "print(2)\n");
  changed("content of the same size");
  scratch.file("t/plugin.py", "print(2)\n", 0755);
  changed("mode bit");
  scratch.file("t/plugin.py", "print(2)\n", 04755);
  changed("setuid bit");
  scratch.folder("t/sub", 0700);
  changed("mode of a folder");
  scratch.folder("t/empty");
  changed("empty folder");
  scratch.file("t/.hidden");
  changed("hidden file");
  scratch.fifo("t/fifo");
  changed("fifo");
  ASSERT_EQ(::unlink((scratch / "t/link").c_str()), 0);
  scratch.link("t/link", "sub/a.py");
  changed("target of a link");
  ASSERT_EQ(::unlink((scratch / "t/link").c_str()), 0);
  scratch.file("t/link", "sub/a.py", 0777);
  changed("a file of the link's text in its place");
  ASSERT_EQ(::rename((scratch / "t/plugin.py").c_str(), (scratch / "t/Plugin.py").c_str()), 0);
  changed("name");
  ASSERT_EQ(::rename((scratch / "t/Plugin.py").c_str(), (scratch / "t/sub/Plugin.py").c_str()), 0);
  changed("folder");
}

TEST_F(Tree, IsTheSameWhateverItIsCalledAndWhenItWasWritten) {
  const std::string before = digest();
  std::filesystem::copy(scratch / "t", scratch / "copy",
                        std::filesystem::copy_options::recursive | std::filesystem::copy_options::copy_symlinks);
  EXPECT_EQ(digest_tree(scratch / "copy").sha256, before);
}

// Without the sizes of paths these would be one listing.
TEST_F(Tree, ANameCannotPassForALine) {
  std::filesystem::remove_all(scratch / "t");
  scratch.folder("t");
  const std::string empty = sha256_hex("");
  scratch.file("t/a\nf 0644 " + empty + " 1:b");
  const std::string forged = digest();
  std::filesystem::remove_all(scratch / "t");
  scratch.folder("t");
  scratch.file("t/a");
  scratch.file("t/b");
  EXPECT_NE(digest(), forged);
}

TEST_F(Tree, OrderIsThatOfBytesFolderByFolder) {
  std::filesystem::remove_all(scratch / "t");
  scratch.folder("t/a");
  scratch.file("t/a/z");
  scratch.file("t/a-b");
  scratch.file("t/\xff");
  scratch.file("t/B");
  std::vector<std::string> paths;
  const std::string text = listing();
  for (std::size_t at = 0; (at = text.find(':', at)) != std::string::npos; ++at)
    paths.push_back(text.substr(at + 1, text.find('\n', at) - at - 1));
  EXPECT_EQ(paths, (std::vector<std::string>{"", "B", "a", "a/z", "a-b", "\xff"}));
}

TEST_F(Tree, NeverFollowsALink) {
  scratch.link("t/shadow", "/etc/shadow");
  scratch.link("t/up", "../..");
  scratch.link("t/loop", "loop");
  scratch.link("t/zero", "/dev/zero");
  const std::string before = digest();
  scratch.file("outside", "1");
  scratch.link("t/outside", "../outside");
  const std::string with_outside = digest();
  EXPECT_NE(with_outside, before);
  scratch.file("outside", "2");
  EXPECT_EQ(digest(), with_outside);
}

TEST_F(Tree, NotThroughALinkOnTheWayEither) {
  scratch.link("way", scratch / "t");
  EXPECT_EQ(digest_tree(scratch / "way/sub").sha256, "");
  EXPECT_NE(digest_tree(scratch / "way").sha256, digest()) << "the link is the tree, not what it leads to";
}

TEST_F(Tree, WaitsForNoFifoAndNoSocket) {
  scratch.fifo("t/fifo");
  const int listener = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  std::strncpy(address.sun_path, (scratch / "t/socket").c_str(), sizeof address.sun_path - 1);
  ASSERT_EQ(::bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  (void)::close(listener);
  EXPECT_NE(listing().find("p 0644 - 4:fifo\n"), std::string::npos);
  EXPECT_NE(listing().find("- 6:socket\n"), std::string::npos);
}

TEST_F(Tree, HardLinksAreFilesLikeOthers) {
  ASSERT_EQ(::link((scratch / "t/plugin.py").c_str(), (scratch / "t/again.py").c_str()), 0);
  const std::string linked = digest();
  std::filesystem::remove(scratch / "t/again.py");
  scratch.file("t/again.py", "print(1)\n");
  EXPECT_EQ(digest(), linked);
}

TEST_F(Tree, AnUnreadableFileIsAProblemWithItsName) {
  if (::geteuid() == 0) GTEST_SKIP() << "root reads everything: tests/cli/digest_test.py tries it as a user";
  scratch.file("t/sub/a.py", "pass\n", 0);
  expect_problem(taken(), "'sub/a.py': Permission denied");
}

TEST_F(Tree, WhatIsNotThereIsAProblem) { expect_problem(digest_tree(scratch / "none"), "No such file"); }

TEST_F(Tree, ASparseFileOfATerabyteIsRefusedUnread) {
  scratch.file("t/huge");
  ASSERT_EQ(::truncate((scratch / "t/huge").c_str(), off_t{1} << 40), 0);
  expect_problem(taken(), "'huge': more than 2 GiB in all");
}

TEST_F(Tree, BytesAreCountedOverAllFiles) {
  expect_problem(taken({.bytes = 10}), "'sub/a.py': more than 10 B in all");
  EXPECT_EQ(taken({.bytes = 14}).problem, "");
}

TEST_F(Tree, EntriesAreBounded) {
  EXPECT_EQ(taken({.entries = 5}).problem, "");
  expect_problem(taken({.entries = 4}), "more than 4 entries in all");
  for (int i = 0; i < 2000; ++i) scratch.file("t/sub/" + std::to_string(i));
  expect_problem(taken({.entries = 100}), "'sub': more than 100 entries in all");
}

TEST_F(Tree, DepthIsBounded) {
  std::string deep = "t";
  for (int i = 0; i < 128; ++i) deep += "/d";
  scratch.folder(deep);
  EXPECT_EQ(taken().problem, "");
  scratch.folder(deep + "/d");
  expect_problem(taken(), "more than 128 folders deep");
}

TEST_F(Tree, TimeIsBounded) { expect_problem(taken({.until_ns = clock::boottime_ns()}), "it takes too long"); }

// Somebody changes the tree all the while. A digest, where there is one, is that of a tree there was.
TEST_F(Tree, WhatChangesMeanwhileIsAProblemAndNeverAWrongDigest) {
  const std::string big(8 << 20, 'a');
  scratch.file("t/big", big);
  const std::string without = digest();
  scratch.file("t/extra");
  const std::string with = digest();
  std::atomic<bool> done = false;
  std::thread other([&] {
    for (bool there = true; !done; there = !there) {
      if (there) ::unlink((scratch / "t/extra").c_str());
      else std::ofstream(scratch / "t/extra");
    }
  });
  int problems = 0;
  for (int tries = 0; tries < 1000 && problems == 0; ++tries) {
    const TreeDigest result = taken();
    if (result.sha256.empty()) {
      ++problems;
      EXPECT_TRUE(result.problem.find("changed while it was read") != std::string::npos ||
                  result.problem.find("No such file") != std::string::npos)
          << result.problem;
    } else {
      EXPECT_TRUE(result.sha256 == with || result.sha256 == without);
    }
  }
  done = true;
  other.join();
  EXPECT_GT(problems, 0);
}

// Between the look at a name and its opening: what stands there by then is neither read nor waited for.
class Swapped : public Tree {
 protected:
  FileDigest digest_of(const std::string& name) {
    const Fd folder = sys::open_at(scratch / "t", O_RDONLY | O_DIRECTORY, sys::Resolve::NoLinks);
    Allowance allowance{TreeBounds{}};
    return digest_file(folder.get(), name, sys::Resolve::NoLinksBeneath, seen_, allowance);
  }
  void look() {
    ASSERT_EQ(::lstat((scratch / "t/plugin.py").c_str(), &seen_), 0);
    ASSERT_EQ(::unlink((scratch / "t/plugin.py").c_str()), 0);
  }
  struct stat seen_ {};
};

TEST_F(Swapped, ForALink) {
  look();
  scratch.link("t/plugin.py", "/etc/passwd");
  EXPECT_EQ(digest_of("plugin.py").problem, "it changed while it was read");
}

TEST_F(Swapped, ForAFifo) {
  look();
  scratch.fifo("t/plugin.py");
  EXPECT_EQ(digest_of("plugin.py").problem, "it changed while it was read");
}

TEST_F(Swapped, ForAnotherFile) {
  look();
  scratch.file("t/plugin.py", "print(1)\n");
  EXPECT_EQ(digest_of("plugin.py").problem, "it changed while it was read");
}

TEST_F(Swapped, ForAFolder) {
  look();
  scratch.folder("t/plugin.py");
  EXPECT_EQ(digest_of("plugin.py").problem, "it changed while it was read");
}

TEST_F(Swapped, ForNothing) {
  look();
  EXPECT_EQ(digest_of("plugin.py").problem, "No such file or directory");
}

}  // namespace
}  // namespace jail::confine
