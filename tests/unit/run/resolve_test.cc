// From a path to the file it means: what is followed, what is refused, and that nobody's link leads astray (C6 is the
// attack: a plugin replaces a folder of its write grant by a link, and the next run would grant what it points to).
#include "run/resolve.h"

#include <gtest/gtest.h>

#include "../../scratch.h"

namespace jail::run {
namespace {

using profile::PathFact;
using profile::PathKind;
using test::Scratch;

// Trusts everything but what the operator says.
PathFact resolved(const std::string& path, std::vector<std::string> untrusted = {}) {
  Chains chains;
  return Resolver(std::move(untrusted), ::geteuid(), chains).resolve(path);
}

bool is_refused_for(const PathFact& fact, const std::string& link) {
  return fact.kind == PathKind::Missing && fact.refused.find("'" + link + "'") != std::string::npos;
}

TEST(Resolve, AnOrdinaryFileIsWhatItIs) {
  Scratch scratch;
  const std::string path = scratch.file("file", "text", 0640);
  const PathFact fact = resolved(path);
  struct stat status {};
  ASSERT_EQ(::stat(path.c_str(), &status), 0);
  EXPECT_EQ(fact.kind, PathKind::File);
  EXPECT_EQ(fact.real, path);
  EXPECT_EQ(fact.identity, (profile::Identity{status.st_dev, status.st_ino}));
  EXPECT_EQ(fact.owner, ::geteuid());
  EXPECT_EQ(fact.mode, 0640U);
  EXPECT_TRUE(fact.links.empty());
  EXPECT_TRUE(fact.refused.empty());
}

TEST(Resolve, TellsWhatKindOfThingItIs) {
  Scratch scratch;
  EXPECT_EQ(resolved(scratch.folder("folder")).kind, PathKind::Directory);
  EXPECT_EQ(resolved(scratch.fifo("pipe")).kind, PathKind::Fifo);
  EXPECT_EQ(resolved("/dev/null").kind, PathKind::CharDevice);
  EXPECT_EQ(resolved("/").kind, PathKind::Directory);
  EXPECT_EQ(resolved("/").real, "/");
}

TEST(Resolve, TheChainLeadsFromTheFileUpToTheRoot) {
  Scratch scratch;
  scratch.folder("a/b");
  const PathFact fact = resolved(scratch.file("a/b/file"));
  ASSERT_EQ(fact.chain.size(), 7U) << "file b a scratch tmp var /";
  EXPECT_EQ(fact.chain.front(), fact.identity);
  EXPECT_EQ(fact.chain[2], resolved(scratch / "a").identity);
  EXPECT_EQ(fact.chain.back(), resolved("/").identity);
}

TEST(Resolve, AMissingPathIsMissingNotRefused) {
  Scratch scratch;
  const PathFact fact = resolved(scratch / "no/such/file");
  EXPECT_EQ(fact.kind, PathKind::Missing);
  EXPECT_EQ(fact.real, scratch / "no/such/file");
  EXPECT_EQ(fact.refused, "");
}

TEST(Resolve, BelowAFileThereIsNothing) {
  Scratch scratch;
  const PathFact fact = resolved(scratch.file("file") + "/x");
  EXPECT_EQ(fact.kind, PathKind::Missing);
  EXPECT_EQ(fact.refused, "");
}

TEST(Resolve, FollowsTheOperatorsLinksAndNamesThemOutermostFirst) {
  Scratch scratch;
  const std::string target = scratch.file("target");
  scratch.link("second", "target");
  scratch.link("first", scratch / "second");
  const PathFact fact = resolved(scratch / "first");
  EXPECT_EQ(fact.kind, PathKind::File);
  EXPECT_EQ(fact.real, target);
  ASSERT_EQ(fact.links.size(), 2U);
  EXPECT_EQ(fact.links[0].path, scratch / "first");
  EXPECT_EQ(fact.links[0].text, scratch / "second");
  EXPECT_EQ(fact.links[1].path, scratch / "second");
  EXPECT_EQ(fact.links[1].text, "target");
}

TEST(Resolve, FollowsALinkInTheMiddleAndDotsInItsText) {
  Scratch scratch;
  scratch.folder("real/deep");
  scratch.file("real/deep/file");
  scratch.folder("other");
  scratch.link("other/way", ".././real/deep");
  const PathFact fact = resolved(scratch / "other/way/file");
  EXPECT_EQ(fact.real, scratch / "real/deep/file");
  ASSERT_EQ(fact.links.size(), 1U);
  EXPECT_EQ(fact.links[0].path, scratch / "other/way");
}

TEST(Resolve, ALinkToTheRootAndDotsAboveItEndAtTheRoot) {
  Scratch scratch;
  EXPECT_EQ(resolved(scratch.link("root", "/")).real, "/");
  EXPECT_EQ(resolved(scratch.link("above", "/../../..")).real, "/");
}

TEST(Resolve, ADanglingLinkIsMissingAtWhatItPointsTo) {
  Scratch scratch;
  const PathFact fact = resolved(scratch.link("link", "nowhere"));
  EXPECT_EQ(fact.kind, PathKind::Missing);
  EXPECT_EQ(fact.real, scratch / "nowhere");
  EXPECT_EQ(fact.refused, "");
}

TEST(Resolve, ALoopOfLinksIsRefused) {
  Scratch scratch;
  scratch.link("a", "b");
  scratch.link("b", "a");
  EXPECT_NE(resolved(scratch / "a").refused.find("too many links"), std::string::npos);
}

TEST(Resolve, TheLinksOfASystemWork) {
  struct stat status {};
  if (::lstat("/var/run", &status) != 0 || !S_ISLNK(status.st_mode)) GTEST_SKIP() << "/var/run is no link here";
  const PathFact fact = resolved("/var/run");
  EXPECT_EQ(fact.kind, PathKind::Directory) << fact.refused;
  EXPECT_EQ(fact.real, "/run");
}

// ---- links that somebody else may have planted

TEST(ResolveUntrusted, ALinkInAPlaceThatAPluginMayWriteIsRefusedByName) {
  Scratch scratch;
  scratch.folder("state");
  scratch.folder("secret");
  scratch.link("state/cache", "../secret");
  EXPECT_EQ(resolved(scratch / "state/cache").kind, PathKind::Directory) << "the control: a trusted folder's link";
  EXPECT_TRUE(is_refused_for(resolved(scratch / "state/cache", {scratch / "state"}), scratch / "state/cache"));
}

TEST(ResolveUntrusted, SoIsOneOnTheWay) {
  Scratch scratch;
  scratch.folder("state");
  scratch.folder("secret/deep");
  scratch.file("secret/deep/file");
  scratch.link("state/cache", scratch / "secret");
  EXPECT_TRUE(
      is_refused_for(resolved(scratch / "state/cache/deep/file", {scratch / "state"}), scratch / "state/cache"));
}

TEST(ResolveUntrusted, SoIsOneThatATrustedLinkLeadsTo) {
  Scratch scratch;
  scratch.folder("state");
  scratch.folder("secret");
  scratch.link("state/cache", "../secret");
  scratch.link("way", "state/cache");
  EXPECT_TRUE(is_refused_for(resolved(scratch / "way", {scratch / "state"}), scratch / "state/cache"));
}

TEST(ResolveUntrusted, WithoutALinkTheFilesOfSuchAPlaceAreFound) {
  Scratch scratch;
  scratch.folder("state");
  EXPECT_EQ(resolved(scratch.file("state/file"), {scratch / "state"}).kind, PathKind::File);
}

TEST(ResolveUntrusted, ThePlaceItselfMayBeReachedByALink) {
  Scratch scratch;
  scratch.folder("real");
  scratch.link("state", "real");
  EXPECT_EQ(resolved(scratch / "state", {scratch / "state"}).real, scratch / "real");
}

// The operator names the place through a link, as /home is on many machines: its links are as untrusted by any name.
TEST(ResolveUntrusted, APlaceNamedThroughALinkIsUntrustedByItsOtherNamesToo) {
  Scratch scratch;
  scratch.folder("real/state");
  scratch.folder("secret");
  scratch.link("home", "real");
  scratch.link("real/state/cache", scratch / "secret");
  for (const char* tree : {"home/state", "real/state"})
    for (const char* path : {"home/state/cache", "real/state/cache"})
      EXPECT_TRUE(is_refused_for(resolved(scratch / path, {scratch / tree}), scratch / "real/state/cache"))
          << path << " with " << tree << " untrusted";
}

TEST(ResolveUntrusted, AFolderThatOthersMayWriteHasNoTrustedLinks) {
  Scratch scratch;
  scratch.file("target");
  for (const mode_t mode : {0777, 0775}) {
    const std::string name = "open" + std::to_string(mode);
    scratch.folder(name);
    scratch.link(name + "/link", "../target");
    EXPECT_EQ(resolved(scratch / (name + "/link")).kind, PathKind::File) << "the control: a folder of one's own";
    scratch.folder(name, mode);
    EXPECT_TRUE(is_refused_for(resolved(scratch / (name + "/link")), scratch / (name + "/link"))) << name;
  }
}

TEST(ResolveUntrusted, InAStickyFolderOnesOwnLinksAreSafe) {
  Scratch scratch;
  scratch.file("target");
  scratch.folder("tmp");
  scratch.link("tmp/link", "../target");
  scratch.folder("tmp", 01777);
  EXPECT_EQ(resolved(scratch / "tmp/link").kind, PathKind::File);
}

TEST(ResolveUntrusted, AnotherUsersLinkIsRefused) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can make another user's link";
  Scratch scratch;
  scratch.file("target");
  const std::string link = scratch.link("link", "target");
  EXPECT_EQ(resolved(link).kind, PathKind::File) << "the control";
  ASSERT_EQ(::lchown(link.c_str(), 12345, 12345), 0);
  EXPECT_TRUE(is_refused_for(resolved(link), link));
  Chains chains;
  EXPECT_EQ(Resolver({}, 12345, chains).resolve(link).kind, PathKind::File) << "it is that user's own";
}

TEST(ResolveUntrusted, AFolderOfAnotherUserHasNoTrustedLinksEvenOfRoot) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can make another user's folder";
  Scratch scratch;
  scratch.file("target");
  scratch.folder("theirs");
  const std::string link = scratch.link("theirs/link", "../target");
  ASSERT_EQ(::chown((scratch / "theirs").c_str(), 12345, 12345), 0);
  EXPECT_TRUE(is_refused_for(resolved(link), link));
}

}  // namespace
}  // namespace jail::run
