// Which mounts, links and masks a profile comes to. The machine is on paper, so every shape of it can be had anywhere.
#include "confine/view.h"

#include <gtest/gtest.h>

#include "../machine.h"

namespace jail::confine::view {

// What a failed test shows of a mask or an anchor.
void PrintTo(const Anchor& anchor, std::ostream* out) { *out << anchor.path << " access " << anchor.access; }
void PrintTo(const Mask& mask, std::ostream* out) { *out << mask.path; }

namespace {

using profile::Access;
using test::granting;
using test::hiding;
using test::line;
using test::Machine;

Plan planned(const profile::Profile& profile, const Machine& machine, const std::vector<MountPoint>& mounts = {}) {
  return plan(profile, machine.facts(), mounts);
}

const Anchor* anchor_at(const Plan& plan, const std::string& path) {
  for (const Anchor& anchor : plan.anchors)
    if (anchor.path == path) return &anchor;
  return nullptr;
}

std::vector<std::string> mounted(const Plan& plan) {
  std::vector<std::string> paths;
  for (const Anchor& anchor : plan.anchors)
    if (anchor.mounted) paths.push_back(anchor.path);
  return paths;
}

std::vector<std::string> masked(const Plan& plan) {
  std::vector<std::string> paths;
  for (const Mask& mask : plan.masks) paths.push_back(mask.path);
  return paths;
}

using Paths = std::vector<std::string>;

TEST(ViewPlan, ShowsNothingThatIsNotGranted) {
  const Plan plan = planned({}, Machine().folder("/home/operator").file("/etc/passwd"));
  EXPECT_TRUE(plan.anchors.empty());
  EXPECT_TRUE(plan.links.empty());
  EXPECT_EQ(plan.cwd, "/");
}

TEST(ViewPlan, GivesEveryAccessItsOwnBits) {
  const Plan plan =
      planned(granting({{Access::Read, "/r"}, {Access::Write, "/w"}, {Access::Exec, "/x"}, {Access::Library, "/l"}}),
              Machine().folder("/r").folder("/w").folder("/x").folder("/l"));
  EXPECT_EQ(anchor_at(plan, "/r")->access, kRead);
  EXPECT_EQ(anchor_at(plan, "/w")->access, kRead | kWrite);
  EXPECT_EQ(anchor_at(plan, "/x")->access, kRead | kExec);
  EXPECT_EQ(anchor_at(plan, "/l")->access, kRead | kLibrary);
}

TEST(ViewPlan, MergesGrantsOnOneRealPathAndKeepsEveryLine) {
  Machine machine;
  machine.folder("/usr/bin").led("/bin", "/usr/bin", {{"/bin", "usr/bin"}});
  const Plan plan = planned(granting({{Access::Read, "/usr/bin"}, {Access::Exec, "/bin"}}), machine);
  ASSERT_EQ(plan.anchors.size(), 1U);
  EXPECT_EQ(plan.anchors[0].path, "/usr/bin");
  EXPECT_EQ(plan.anchors[0].access, kRead | kExec);
  EXPECT_EQ(plan.anchors[0].places, (std::vector{line(1), line(2)}));
}

TEST(ViewPlan, AMissingOptionalPathIsLeftOut) {
  const Plan plan =
      planned(granting({{Access::Read, "/there"}, {Access::Read, "/missing"}}), Machine().folder("/there"));
  EXPECT_EQ(mounted(plan), Paths{"/there"});
}

TEST(ViewPlan, APathThatMayNotBeResolvedIsNoAnchor) {
  Machine machine;
  machine.facts().paths["/srv/planted"].refused = "a link in a place that a plugin may write";
  EXPECT_TRUE(planned(granting({{Access::Read, "/srv/planted"}}), machine).anchors.empty());
}

TEST(ViewPlan, ParentsStandBeforeTheirChildrenWhateverTheProfileSaysFirst) {
  const Plan plan = planned(granting({{Access::Read, "/srv/a/b"}, {Access::Write, "/srv/a"}, {Access::Exec, "/srv"}}),
                            Machine().folder("/srv").folder("/srv/a").folder("/srv/a/b"));
  EXPECT_EQ(mounted(plan), (Paths{"/srv", "/srv/a", "/srv/a/b"}));
}

TEST(ViewPlan, LeavesOutAMountThatTheOneAboveShowsWithTheSameFlags) {
  const Plan plan = planned(granting({{Access::Read, "/usr"}, {Access::Read, "/usr/share/doc"}}),
                            Machine().folder("/usr").folder("/usr/share/doc"));
  EXPECT_EQ(mounted(plan), Paths{"/usr"});
  ASSERT_NE(anchor_at(plan, "/usr/share/doc"), nullptr) << "it still carries its Landlock rule";
}

TEST(ViewPlan, ExecAndLibraryTreesAreOneKindOfMount) {
  const Plan plan = planned(granting({{Access::Library, "/usr/lib"}, {Access::Exec, "/usr/lib/tool"}}),
                            Machine().folder("/usr/lib").file("/usr/lib/tool"));
  EXPECT_EQ(mounted(plan), Paths{"/usr/lib"});
}

TEST(ViewPlan, AReadOnlyCarveOutOfAWriteGrantIsAMountAndSoIsTheWriteGrantBelowIt) {
  const Plan plan =
      planned(granting({{Access::Write, "/srv"}, {Access::Read, "/srv/fixed"}, {Access::Write, "/srv/fixed/log"}}),
              Machine().folder("/srv").folder("/srv/fixed").folder("/srv/fixed/log"));
  EXPECT_EQ(mounted(plan), (Paths{"/srv", "/srv/fixed", "/srv/fixed/log"}));
  EXPECT_EQ(anchor_at(plan, "/srv/fixed")->access & kWrite, 0U);
}

TEST(ViewPlan, ANameThatOnlyBeginsAlikeIsNotBeneath) {
  const Plan plan = planned(granting({{Access::Read, "/srv/a"}, {Access::Read, "/srv/ab"}, {Access::Read, "/srv/a-b"}}),
                            Machine().folder("/srv/a").folder("/srv/ab").folder("/srv/a-b"));
  EXPECT_EQ(mounted(plan).size(), 3U);
}

TEST(ViewPlan, ADeviceIsAMountOfItsOwnEvenInAGrantedFolder) {
  const Plan plan = planned(granting({{Access::Read, "/dev/dri"}, {Access::Read, "/dev/dri/card0"}}),
                            Machine().folder("/dev/dri").device("/dev/dri/card0"));
  EXPECT_EQ(mounted(plan), (Paths{"/dev/dri", "/dev/dri/card0"}));
  EXPECT_TRUE(anchor_at(plan, "/dev/dri/card0")->access & kDevice);
}

TEST(ViewPlan, MakesTheLinksAgainThatAGrantWentThrough) {
  Machine machine;
  machine.folder("/usr/lib").led("/lib", "/usr/lib", {{"/lib", "usr/lib"}});
  const Plan plan = planned(granting({{Access::Library, "/lib"}}), machine);
  ASSERT_EQ(plan.links.size(), 1U);
  EXPECT_EQ(plan.links[0].path, "/lib");
  EXPECT_EQ(plan.links[0].text, "usr/lib");
}

TEST(ViewPlan, ALinkThatAGrantedFolderShowsAnywayIsNotMadeAgain) {
  Machine machine;
  machine.folder("/etc").file("/usr/share/zoneinfo/UTC");
  machine.led("/etc/localtime", "/usr/share/zoneinfo/UTC", {{"/etc/localtime", "/usr/share/zoneinfo/UTC"}});
  const Plan plan = planned(granting({{Access::Read, "/etc"}, {Access::Read, "/etc/localtime"}}), machine);
  EXPECT_TRUE(plan.links.empty());
  EXPECT_EQ(mounted(plan), (Paths{"/etc", "/usr/share/zoneinfo/UTC"}));
}

TEST(ViewPlan, AddsTheInterpretersOfAnExecutableAndTheirLinks) {
  Machine machine;
  machine.program("/usr/bin/tool", {"/lib64/ld.so"}).program("/usr/lib64/ld.so");
  machine.led("/lib64/ld.so", "/usr/lib64/ld.so", {{"/lib64", "usr/lib64"}});
  machine.facts().paths["/lib64/ld.so"].mode = 0755;
  const Plan plan = planned(granting({{Access::Exec, "/usr/bin/tool"}}), machine);
  EXPECT_EQ(mounted(plan), (Paths{"/usr/bin/tool", "/usr/lib64/ld.so"}));
  EXPECT_EQ(anchor_at(plan, "/usr/lib64/ld.so")->access, kRead | kExec);
  ASSERT_EQ(plan.links.size(), 1U);
  EXPECT_EQ(plan.links[0].path, "/lib64");
}

TEST(ViewPlan, ReadingAProgramDoesNotBringItsInterpreter) {
  Machine machine;
  machine.program("/usr/bin/tool", {"/usr/lib64/ld.so"}).program("/usr/lib64/ld.so");
  EXPECT_EQ(mounted(planned(granting({{Access::Read, "/usr/bin/tool"}}), machine)), Paths{"/usr/bin/tool"});
}

// The author of a script writes its first line: it must not be a way to read a file that nobody granted.
TEST(ViewPlan, WhatAScriptNamesAsItsInterpreterIsGrantedOnlyIfItIsAProgram) {
  Machine machine;
  machine.program("/srv/plugin/run.sh", {"/home/operator/.ssh/id_ed25519"}).file("/home/operator/.ssh/id_ed25519");
  EXPECT_EQ(mounted(planned(granting({{Access::Exec, "/srv/plugin/run.sh"}}), machine)), Paths{"/srv/plugin/run.sh"});
}

// Each of two is enough to lose the interpreter; the loader that nearly every program has comes in any case.
TEST(ViewPlan, AProgramThatOthersMayHaveWrittenBringsTheStandardLoaderOnly) {
  const auto machine = [] {
    Machine one;
    one.program("/srv/run.sh", {"/bin/sh", "/lib64/ld-linux-x86-64.so.2"}).program("/bin/sh");
    return one.program("/lib64/ld-linux-x86-64.so.2");
  };
  const profile::Profile profile = granting({{Access::Exec, "/srv/run.sh"}});
  EXPECT_EQ(mounted(planned(profile, machine())), (Paths{"/bin/sh", "/lib64/ld-linux-x86-64.so.2", "/srv/run.sh"}));
  profile::Profile of_plugin = profile;
  of_plugin.plugin = "/srv";
  EXPECT_EQ(mounted(planned(of_plugin, machine().folder("/srv"))),
            (Paths{"/lib64/ld-linux-x86-64.so.2", "/srv/run.sh"}));
  for (const char* foreign : {"/srv/run.sh", "/bin/sh"}) {
    Machine shared = machine();
    shared.facts().paths[foreign].foreign = "others can write it";
    EXPECT_EQ(mounted(planned(profile, shared)), (Paths{"/lib64/ld-linux-x86-64.so.2", "/srv/run.sh"})) << foreign;
  }
}

TEST(ViewPlan, StartsInTheFolderTheProfileNames) {
  profile::Profile profile = granting({{Access::Write, "/srv/state"}});
  profile.cwd.value = "/srv/elsewhere";
  EXPECT_EQ(planned(profile, Machine().folder("/srv/state")).cwd, "/srv/elsewhere");
}

TEST(ViewPlan, StartsInTheFirstFolderItMayWriteElseInTheRoot) {
  Machine machine;
  machine.folder("/srv/read").file("/srv/file").folder("/srv/first").folder("/srv/second");
  EXPECT_EQ(planned(granting({{Access::Read, "/srv/read"},
                              {Access::Write, "/srv/missing"},
                              {Access::Write, "/srv/file"},
                              {Access::Write, "/srv/first"},
                              {Access::Write, "/srv/second"}}),
                    machine)
                .cwd,
            "/srv/first");
  EXPECT_EQ(planned(granting({{Access::Read, "/srv/read"}}), machine).cwd, "/");
}

TEST(ViewPlan, CarriesTheSizeOfTheTemporaryFolders) {
  profile::Profile profile;
  profile.filesystem.temporary.value = 12345;
  EXPECT_EQ(planned(profile, Machine()).temporary_bytes, 12345U);
}

// ---- what is hidden

TEST(ViewMasks, AHiddenPathInAGrantIsCoveredThere) {
  Machine machine;
  machine.folder("/srv").folder("/srv/keys");
  const Plan plan = planned(hiding(granting({{Access::Read, "/srv"}}), {"/srv/keys"}), machine);
  ASSERT_EQ(masked(plan), Paths{"/srv/keys"});
  EXPECT_EQ(plan.masks[0].node, Node::Folder);
  EXPECT_EQ(plan.masks[0].identity, machine.identity("/srv/keys"));
  EXPECT_EQ(plan.masks[0].place, line(51));
}

TEST(ViewMasks, WhatNoGrantShowsNeedsNoMask) {
  EXPECT_TRUE(
      planned(hiding(granting({{Access::Read, "/srv"}}), {"/home/keys"}), Machine().folder("/srv").folder("/home/keys"))
          .masks.empty());
}

TEST(ViewMasks, AtEqualPathsHideWins) {
  const Plan plan =
      planned(hiding(granting({{Access::Read, "/srv/keys"}}), {"/srv/keys"}), Machine().folder("/srv/keys"));
  EXPECT_EQ(masked(plan), Paths{"/srv/keys"});
}

TEST(ViewMasks, AMissingHiddenPathHasNothingToBeCoveredOn) {
  EXPECT_TRUE(
      planned(hiding(granting({{Access::Read, "/srv"}}), {"/srv/none"}), Machine().folder("/srv")).masks.empty());
}

TEST(ViewMasks, CoverThePlaceBehindTheLinkThatTheProfileNames) {
  Machine machine;
  machine.folder("/srv").file("/srv/store/key").led("/srv/key", "/srv/store/key", {{"/srv/key", "store/key"}});
  EXPECT_EQ(masked(planned(hiding(granting({{Access::Read, "/srv"}}), {"/srv/key"}), machine)),
            Paths{"/srv/store/key"});
}

TEST(ViewMasks, CoverEveryAliasOfAFolderAboveThem) {
  Machine machine;
  machine.folder("/home/operator").folder("/home/operator/a/keys").alias("/mnt/home", "/home/operator");
  const Plan plan = planned(
      hiding(granting({{Access::Read, "/home/operator"}, {Access::Read, "/mnt/home"}}), {"/home/operator/a/keys"}),
      machine);
  EXPECT_EQ(masked(plan), (Paths{"/home/operator/a/keys", "/mnt/home/a/keys"}));
}

TEST(ViewMasks, CoverAnAliasOfTheHiddenFolderItself) {
  Machine machine;
  machine.folder("/home/keys").alias("/srv/keys-too", "/home/keys");
  EXPECT_EQ(masked(planned(hiding(granting({{Access::Read, "/srv/keys-too"}}), {"/home/keys"}), machine)),
            Paths{"/srv/keys-too"});
}

TEST(ViewMasks, CoverWhatIsReachedThroughAMountBelowAGrant) {
  Machine machine;
  machine.folder("/srv").folder("/home").file("/home/operator/key");
  const profile::Profile profile = hiding(granting({{Access::Read, "/srv"}}), {"/home/operator/key"});
  const Plan without = planned(profile, machine);
  const Plan with = planned(profile, machine, {{"/srv/backup/home", machine.identity("/home")}});
  EXPECT_TRUE(without.masks.empty());
  EXPECT_EQ(masked(with), Paths{"/srv/backup/home/operator/key"});
}

TEST(ViewMasks, AMountOutsideEveryGrantBringsNone) {
  Machine machine;
  machine.folder("/srv").folder("/home").file("/home/key");
  EXPECT_TRUE(planned(hiding(granting({{Access::Read, "/srv"}}), {"/home/key"}), machine,
                      {{"/mnt/home", machine.identity("/home")}})
                  .masks.empty());
}

// ---- what must not be renamed

TEST(ViewPins, AreTheFoldersBetweenAWriteGrantAndAMaskOutermostFirst) {
  Machine machine;
  machine.folder("/srv").folder("/srv/a").folder("/srv/a/b").folder("/srv/a/b/keys").folder("/srv/a/b/more");
  const profile::Profile profile = hiding(granting({{Access::Write, "/srv"}}), {"/srv/a/b/keys", "/srv/a/b/more"});
  EXPECT_EQ(planned(profile, machine).pins, (Paths{"/srv/a", "/srv/a/b"}));
}

TEST(ViewPins, AreThoseAboveAReadOnlyPlaceToo) {
  Machine machine;
  machine.folder("/srv").folder("/srv/a").folder("/srv/a/fixed").program("/srv/b/tool");
  const profile::Profile profile =
      granting({{Access::Write, "/srv"}, {Access::Read, "/srv/a/fixed"}, {Access::Exec, "/srv/b/tool"}});
  EXPECT_EQ(planned(profile, machine).pins, (Paths{"/srv/a", "/srv/b"}));
}

// A write grant inside another is no mount: nothing keeps its folder where it is.
TEST(ViewPins, ReachUpToTheMountNotToTheNextGrant) {
  Machine machine;
  machine.folder("/srv").folder("/srv/a").folder("/srv/a/b/keys");
  const profile::Profile profile =
      hiding(granting({{Access::Write, "/srv"}, {Access::Write, "/srv/a"}}), {"/srv/a/b/keys"});
  EXPECT_EQ(planned(profile, machine).pins, (Paths{"/srv/a", "/srv/a/b"}));
}

TEST(ViewPins, HoldTheFoldersOfTheOwnTmpfsThatLeadToAGrant) {
  Machine machine;
  machine.folder("/tmp/a/b/c").folder("/dev/shm/d/e").folder("/srv/f/g");
  const profile::Profile profile =
      granting({{Access::Read, "/tmp/a/b/c"}, {Access::Write, "/dev/shm/d/e"}, {Access::Read, "/srv/f/g"}});
  EXPECT_EQ(planned(profile, machine).pins, (Paths{"/dev/shm/d", "/tmp/a", "/tmp/a/b"}));
}

TEST(ViewPins, AreNoneWhereNothingCanBeRenamed) {
  Machine machine;
  machine.folder("/srv").folder("/srv/a/keys").folder("/srv/fixed").folder("/srv/fixed/b/keys");
  EXPECT_TRUE(planned(hiding(granting({{Access::Read, "/srv"}}), {"/srv/a/keys"}), machine).pins.empty());
  const profile::Profile carved =
      hiding(granting({{Access::Write, "/srv"}, {Access::Read, "/srv/fixed"}}), {"/srv/fixed/b/keys"});
  EXPECT_TRUE(planned(carved, machine).pins.empty()) << "the read-only mount around it";
}

TEST(ViewPins, AreNoneWhereNothingIsProtected) {
  Machine machine;
  machine.folder("/srv").folder("/srv/a/b");
  EXPECT_TRUE(planned(granting({{Access::Write, "/srv"}, {Access::Write, "/srv/a/b"}}), machine).pins.empty());
}

Paths held(const Plan& plan) {
  Paths paths;
  for (const Hold& hold : plan.holds) paths.push_back(hold.path);
  return paths;
}

TEST(ViewHolds, AreAMaskAndAllFoldersUpToTheGrantWhateverTheGrantAllows) {
  for (const Access access : {Access::Read, Access::Write}) {
    Machine machine;
    machine.folder("/srv").folder("/srv/a/b/keys");
    const Plan plan = planned(hiding(granting({{access, "/srv"}}), {"/srv/a/b/keys"}), machine);
    EXPECT_EQ(held(plan), (Paths{"/srv/a", "/srv/a/b", "/srv/a/b/keys"}));
    for (const Hold& hold : plan.holds) {
      EXPECT_EQ(hold.kept, "/srv/a/b/keys");
      EXPECT_EQ(hold.by, Hold::By::Mask);
      EXPECT_EQ(hold.identity, machine.identity("/srv/a/b/keys"));
    }
  }
}

TEST(ViewHolds, AreAGrantStricterThanTheOneAroundIt) {
  const Machine machine = Machine().folder("/w").folder("/w/a/r").folder("/x").folder("/x/a/r");
  const Plan plan = planned(
      granting({{Access::Write, "/w"}, {Access::Read, "/w/a/r"}, {Access::Exec, "/x"}, {Access::Read, "/x/a/r"}}),
      machine);
  EXPECT_EQ(held(plan), (Paths{"/w/a", "/w/a/r", "/x/a", "/x/a/r"}));
  for (const Hold& hold : plan.holds) EXPECT_EQ(hold.by, Hold::By::Mount);
}

// Losing what only adds a right takes nothing from anybody but the plugin.
TEST(ViewHolds, AreNoneWhereAGrantOnlyAdds) {
  const Machine machine = Machine().folder("/r").folder("/r/w").folder("/r/x").folder("/r/again");
  EXPECT_TRUE(planned(granting({{Access::Read, "/r"},
                                {Access::Write, "/r/w"},
                                {Access::Exec, "/r/x"},
                                {Access::Read, "/r/again"}}),
                      machine)
                  .holds.empty());
}

TEST(ViewHolds, ReachThroughTheGrantsBetween) {
  const Machine machine = Machine().folder("/r").folder("/r/a/w").folder("/r/a/w/b/keys");
  const Plan plan =
      planned(hiding(granting({{Access::Read, "/r"}, {Access::Write, "/r/a/w"}}), {"/r/a/w/b/keys"}), machine);
  EXPECT_EQ(held(plan), (Paths{"/r/a", "/r/a/w", "/r/a/w/b", "/r/a/w/b/keys"}));
}

TEST(ViewHolds, AMaskUponAGrantItselfStandsAlone) {
  const Machine machine = Machine().folder("/srv").alias("/alias", "/srv");
  EXPECT_EQ(held(planned(hiding(granting({{Access::Read, "/alias"}}), {"/srv"}), machine)), Paths{"/alias"});
}

TEST(ViewMasks, FilesAreCoveredByAFile) {
  Machine machine;
  machine.folder("/srv").file("/srv/.env");
  const Plan plan = planned(hiding(granting({{Access::Read, "/srv"}}), {"/srv/.env"}), machine);
  ASSERT_EQ(plan.masks.size(), 1U);
  EXPECT_EQ(plan.masks[0].node, Node::File);
}

// What lies in a covered folder cannot be found any more: a second mask there would fail to be built.
TEST(ViewMasks, AHiddenPathInsideAHiddenFolderNeedsNoMaskOfItsOwn) {
  Machine machine;
  machine.folder("/srv").folder("/srv/keys").folder("/srv/keys/old").file("/srv/keys/old/one");
  const Plan plan =
      planned(hiding(granting({{Access::Read, "/srv"}}), {"/srv/keys/old/one", "/srv/keys", "/srv/keys/old"}), machine);
  EXPECT_EQ(masked(plan), Paths{"/srv/keys"});
}

// ---- how the plan is told apart

TEST(ViewPlan, IsTheSameWhateverTheOrderOfTheGrants) {
  Machine machine;
  machine.folder("/usr").folder("/srv").folder("/srv/x");
  const Plan one =
      planned(granting({{Access::Read, "/usr"}, {Access::Write, "/srv"}, {Access::Read, "/srv/x"}}), machine);
  const Plan other =
      planned(granting({{Access::Read, "/srv/x"}, {Access::Read, "/usr"}, {Access::Write, "/srv"}}), machine);
  EXPECT_EQ(mounted(one), mounted(other));
}

}  // namespace
}  // namespace jail::confine::view
