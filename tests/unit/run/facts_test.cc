// What is collected for a profile: which paths are looked at, whom it distrusts, what programs need.
#include "run/facts.h"

#include <gtest/gtest.h>

#include "../../scratch.h"
#include "../machine.h"
#include "run/interpreters.h"

namespace jail::run {
namespace {

using profile::Access;
using profile::PathKind;
using test::granting;
using test::Scratch;

Places places_in(const Scratch& scratch) {
  Places places;
  places.home = scratch / "home";
  places.state = scratch / "state";
  return places;
}

TEST(Collect, LooksAtEveryPathTheProfileNames) {
  Scratch scratch;
  profile::Profile profile = granting({{Access::Read, scratch.folder("read")},
                                       {Access::Write, scratch.folder("write")},
                                       {Access::Read, scratch / "missing"}});
  profile = test::hiding(profile, {scratch.folder("read/keys")});
  profile.cwd.value = scratch.folder("write/here");
  const profile::Facts facts = collect(profile, places_in(scratch), {});
  EXPECT_EQ(facts.paths.at(scratch / "read").kind, PathKind::Directory);
  EXPECT_EQ(facts.paths.at(scratch / "missing").kind, PathKind::Missing);
  EXPECT_EQ(facts.paths.at(scratch / "read/keys").kind, PathKind::Directory);
  EXPECT_EQ(facts.paths.at(scratch / "write/here").kind, PathKind::Directory);
  EXPECT_EQ(facts.uid, ::geteuid());
}

// A link in each place where a plugin, or its author, may have put it.
TEST(Collect, FollowsNoLinkThatAPluginOrItsAuthorMayHavePlanted) {
  Scratch scratch;
  scratch.folder("secret");
  for (const char* name : {"write", "plugin", "state/other", "trusted"}) {
    scratch.folder(name);
    scratch.link(std::string(name) + "/link", scratch / "secret");
  }
  const profile::Profile profile = granting({{Access::Write, scratch / "write"},
                                             {Access::Read, scratch / "write/link"},
                                             {Access::Read, scratch / "plugin/link"},
                                             {Access::Read, scratch / "state/other/link"},
                                             {Access::Read, scratch / "trusted/link"}});
  const profile::Facts facts = collect(profile, places_in(scratch), {{"plugin", scratch / "plugin"}});
  EXPECT_EQ(facts.paths.at(scratch / "trusted/link").real, scratch / "secret") << "the control";
  for (const char* name : {"write/link", "plugin/link", "state/other/link"}) {
    EXPECT_EQ(facts.paths.at(scratch / name).kind, PathKind::Missing) << name;
    EXPECT_NE(facts.paths.at(scratch / name).refused.find(scratch / name), std::string::npos) << name;
  }
}

TEST(Collect, FindsWhatAProgramNeedsToBeStartedAndWhatThatNeeds) {
  Scratch scratch;
  const std::string inner = scratch.file("inner", "#!/nonexistent/shell\n", 0755);
  const std::string outer = scratch.file("outer", "#!" + inner + "\n", 0755);
  const profile::Facts facts = collect(granting({{Access::Exec, outer}}), places_in(scratch), {});
  EXPECT_EQ(facts.paths.at(outer).interpreters, (std::vector<std::string>{inner, "/nonexistent/shell"}));
  EXPECT_EQ(facts.paths.at(inner).kind, PathKind::File);
  EXPECT_EQ(facts.paths.at("/nonexistent/shell").kind, PathKind::Missing);
}

TEST(Collect, AsksNothingMoreOfAFileThatIsOnlyRead) {
  Scratch scratch;
  const std::string script = scratch.file("script", "#!/nonexistent/shell\n", 0755);
  const profile::Facts facts = collect(granting({{Access::Read, script}}), places_in(scratch), {});
  EXPECT_TRUE(facts.paths.at(script).interpreters.empty());
  EXPECT_FALSE(facts.paths.contains("/nonexistent/shell"));
}

TEST(Collect, AGrantedFolderOfProgramsNeedsTheStandardLoader) {
  Scratch scratch;
  const profile::Facts facts = collect(granting({{Access::Exec, scratch.folder("bin")}}), places_in(scratch), {});
  EXPECT_EQ(facts.paths.at(scratch / "bin").interpreters, standard_loaders());
}

// A script's author names the interpreter: a link of the author's leads no further than any other.
TEST(Collect, AnInterpreterBehindAPlantedLinkIsRefused) {
  Scratch scratch;
  scratch.folder("plugin");
  scratch.file("tool", "", 0755);
  scratch.link("plugin/sh", scratch / "tool");
  const std::string script = scratch.file("plugin/run", "#!" + (scratch / "plugin/sh") + "\n", 0755);
  const profile::Facts facts =
      collect(granting({{Access::Exec, script}}), places_in(scratch), {{"plugin", scratch / "plugin"}});
  EXPECT_FALSE(facts.paths.at(scratch / "plugin/sh").refused.empty());
}

TEST(CollectMounts, LooksAtNoMountWhereNothingIsHidden) {
  EXPECT_TRUE(collect_mounts({}).empty());
  EXPECT_FALSE(collect_mounts(test::hiding({}, {"/etc"})).empty());
}

TEST(Launcher, IsThisProcess) {
  EXPECT_EQ(launcher().uid, ::geteuid());
  EXPECT_EQ(launcher().gid, ::getegid());
}

}  // namespace
}  // namespace jail::run
