#include "sys/file.h"

#include <gtest/gtest.h>

#include <cerrno>

#include "../../scratch.h"
#include "base/error.h"

namespace jail::sys {
namespace {

using test::Scratch;

template <typename Call>
int error_of(Call call) {
  try {
    call();
    return 0;
  } catch (const SysError& error) {
    return error.error();
  }
}

TEST(OpenAt, IsAlwaysCloseOnExec) {
  EXPECT_TRUE(::fcntl(open_at("/", O_PATH, Resolve::Anything).get(), F_GETFD) & FD_CLOEXEC);
  int error = 0;
  EXPECT_TRUE(::fcntl(try_open_at(AT_FDCWD, "/", O_PATH, Resolve::Anything, error).get(), F_GETFD) & FD_CLOEXEC);
}

TEST(OpenAt, FollowsALinkOnlyWhereItMay) {
  Scratch scratch;
  scratch.folder("folder");
  scratch.file("folder/file");
  scratch.link("link", "folder");
  EXPECT_TRUE(open_at(scratch / "link/file", O_RDONLY, Resolve::Anything));
  EXPECT_EQ(error_of([&] { open_at(scratch / "link/file", O_RDONLY, Resolve::NoLinks); }), ELOOP);
  const Fd folder = open_at(scratch.path(), O_PATH, Resolve::NoLinks);
  EXPECT_EQ(error_of([&] { open_at(folder, "link/file", O_RDONLY, Resolve::NoLinksBeneath); }), ELOOP);
  EXPECT_TRUE(open_at(folder, "folder/file", O_RDONLY, Resolve::NoLinksBeneath));
}

TEST(OpenAt, StaysBeneathWhereItMust) {
  Scratch scratch;
  scratch.folder("in");
  scratch.file("out");
  const Fd folder = open_at(scratch / "in", O_PATH, Resolve::NoLinks);
  EXPECT_TRUE(open_at(folder, "../out", O_RDONLY, Resolve::NoLinks)) << "the control";
  EXPECT_EQ(error_of([&] { open_at(folder, "../out", O_RDONLY, Resolve::NoLinksBeneath); }), EXDEV);
  EXPECT_EQ(error_of([&] { open_at(folder, scratch / "out", O_RDONLY, Resolve::NoLinksBeneath); }), EXDEV);
}

TEST(OpenAt, GoesThroughNoMagicLink) {
  EXPECT_EQ(error_of([] { open_at("/proc/self/exe", O_RDONLY, Resolve::Anything); }), 0) << "the control";
  EXPECT_EQ(error_of([] { open_at("/proc/self/exe", O_RDONLY, Resolve::NoLinks); }), ELOOP);
}

TEST(TryOpenAt, HasTheErrorAsAnAnswer) {
  Scratch scratch;
  int error = -1;
  EXPECT_FALSE(try_open_at(AT_FDCWD, (scratch / "missing").c_str(), O_RDONLY, Resolve::NoLinks, error));
  EXPECT_EQ(error, ENOENT);
  EXPECT_TRUE(try_open_at(AT_FDCWD, scratch.path().c_str(), O_RDONLY, Resolve::NoLinks, error));
  EXPECT_EQ(error, 0);
}

TEST(ReadFile, ReadsAllOfItUpToTheMost) {
  Scratch scratch;
  const std::string text(20000, 'x');
  const std::string path = scratch.file("file", text);
  const auto read = [&](std::size_t most) { return read_file(open_at(path, O_RDONLY, Resolve::NoLinks), most); };
  EXPECT_EQ(read(20000), text);
  EXPECT_EQ(error_of([&] { read(19999); }), EFBIG);
}

TEST(ReadLink, GivesTheTextOfTheLinkItself) {
  Scratch scratch;
  const std::string path = scratch.link("link", "../some where/else");
  EXPECT_EQ(read_link(open_at(path, O_PATH | O_NOFOLLOW, Resolve::NoLinks)), "../some where/else");
}

TEST(Make, RefusesWhatIsThereAlready) {
  Scratch scratch;
  const Fd folder = open_at(scratch.path(), O_PATH, Resolve::NoLinks);
  make_folder(folder, "folder", 0700);
  make_file(folder, "file", 0400);
  make_link("text", folder, "link");
  EXPECT_EQ(error_of([&] { make_folder(folder, "link", 0700); }), EEXIST);
  EXPECT_EQ(error_of([&] { make_file(folder, "link", 0600); }), EEXIST);
  EXPECT_EQ(error_of([&] { make_link("other", folder, "file"); }), EEXIST);
  EXPECT_TRUE(S_ISREG(file_status(open_at(folder, "file", O_PATH, Resolve::NoLinks)).st_mode));
}

TEST(WriteFile, NamesWhatItCouldNotWrite) {
  try {
    write_file("/proc/self/no-such-file", "1");
    FAIL() << "nothing was thrown";
  } catch (const SysError& error) {
    EXPECT_NE(std::string(error.what()).find("/proc/self/no-such-file"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace jail::sys
