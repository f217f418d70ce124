// Every ABI from the tables, whatever kernel this runs on. The expected sets are written out here from landlock(7) and
// the kernel's own documentation: a table held against itself would agree with any mistake in it.
#include "confine/landlock.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "confine/landlock_rights.h"

namespace jail::confine::landlock {
namespace {

using Names = std::set<std::string>;

const Names kOfAbi1{"execute",  "write-file", "read-file", "read-dir",  "remove-dir", "remove-file", "make-char",
                    "make-dir", "make-reg",   "make-sock", "make-fifo", "make-block", "make-sym"};

Names known_rights(int abi) {
  Names names = abi >= 1 ? kOfAbi1 : Names{};
  if (abi >= 2) names.insert("refer");
  if (abi >= 3) names.insert("truncate");
  if (abi >= 5) names.insert("ioctl-dev");
  if (abi >= 9) names.insert("resolve-unix");
  return names;
}

Names names_of(std::uint64_t bits) {
  Names names;
  for (const Right& right : kRights)
    if (bits & right.bit) names.insert(std::string(right.name));
  return names;
}

view::Anchor anchor(std::string path, view::Node node, unsigned access) {
  return {.path = std::move(path), .node = node, .identity = {}, .access = access, .mounted = true, .places = {}};
}

view::Plan view_of(std::vector<view::Anchor> anchors) {
  view::Plan view;
  view.anchors = std::move(anchors);
  return view;
}

std::uint64_t access_at(const Plan& plan, const std::string& path) {
  std::uint64_t access = 0;
  for (const Rule& rule : plan.rules)
    if (rule.path == path) access |= rule.access;
  return access;
}

class LandlockOnAbi : public testing::TestWithParam<int> {};

TEST_P(LandlockOnAbi, HandlesEveryRightThatItKnowsAndNoOther) {
  EXPECT_EQ(names_of(plan({}, {GetParam()}).filesystem), known_rights(GetParam()));
}

TEST_P(LandlockOnAbi, ScopesSignalsAndAbstractSocketsFromSixOn) {
  EXPECT_EQ(plan({}, {GetParam()}).scopes, GetParam() >= 6 ? 3U : 0U);
}

TEST_P(LandlockOnAbi, LogsDenialsOfProgramsThatThePluginStartsFromSevenOn) {
  EXPECT_EQ(plan({}, {GetParam()}).flags, GetParam() >= 7 ? 2U : 0U);
}

TEST_P(LandlockOnAbi, AllowsNothingThatItDoesNotHandle) {
  const Plan plan = landlock::plan(
      view_of({anchor("/all", view::Node::Folder, 31), anchor("/file", view::Node::File, 31)}), {GetParam()});
  for (const Rule& rule : plan.rules) {
    EXPECT_EQ(rule.access & ~plan.filesystem, 0U) << rule.path;
    EXPECT_NE(rule.access, 0U) << "ENOMSG for " << rule.path;
  }
}

TEST_P(LandlockOnAbi, NamesEachRightThatItLacksAndThatMatters) {
  const Layer layer = plan({}, {GetParam()}).layer;
  const auto names = [&](const char* right) { return layer.reason.find(right) != std::string::npos; };
  if (GetParam() == 0) return;  // nothing is named: nothing is there
  EXPECT_EQ(names("truncate (ABI 3)"), GetParam() < 3) << layer.reason;
  EXPECT_EQ(names("ioctl-dev (ABI 5)"), GetParam() < 5) << layer.reason;
  EXPECT_EQ(names("resolve-unix (ABI 9)"), GetParam() < 9) << layer.reason;
  EXPECT_FALSE(names("execute (ABI")) << layer.reason;
}

TEST_P(LandlockOnAbi, IsAbsentPartialOrEnforced) {
  const LayerState wanted = GetParam() == 0  ? LayerState::Absent
                            : GetParam() < 9 ? LayerState::Partial
                                             : LayerState::Enforced;
  const Layer layer = plan({}, {GetParam()}).layer;
  EXPECT_EQ(layer.name, "landlock");
  EXPECT_EQ(layer.state, wanted);
  EXPECT_EQ(layer.reason.empty(), wanted == LayerState::Enforced);
}

INSTANTIATE_TEST_SUITE_P(EveryAbi, LandlockOnAbi, testing::Range(0, kNewestAbi + 1));

TEST(LandlockPlan, WithoutLandlockHasNoRuleToBind) {
  EXPECT_TRUE(plan(view_of({anchor("/srv", view::Node::Folder, view::kRead)}), {0}).rules.empty());
}

TEST(LandlockPlan, ANewerAbiThanTheTableIsTreatedAsTheNewestKnown) {
  const Plan newest = plan({}, {kNewestAbi}), beyond = plan({}, {kNewestAbi + 7});
  EXPECT_EQ(beyond.filesystem, newest.filesystem);
  EXPECT_EQ(beyond.layer.state, LayerState::Enforced);
}

TEST(LandlockPlan, EachGrantBringsItsRightsToAFolder) {
  const Plan plan = landlock::plan(view_of({anchor("/r", view::Node::Folder, view::kRead),
                                            anchor("/w", view::Node::Folder, view::kRead | view::kWrite),
                                            anchor("/x", view::Node::Folder, view::kRead | view::kExec),
                                            anchor("/l", view::Node::Folder, view::kRead | view::kLibrary)}),
                                   {kNewestAbi});
  EXPECT_EQ(names_of(access_at(plan, "/r")), (Names{"read-file", "read-dir"}));
  EXPECT_EQ(names_of(access_at(plan, "/x")), (Names{"read-file", "read-dir", "execute"}));
  EXPECT_EQ(names_of(access_at(plan, "/l")), (Names{"read-file", "read-dir"})) << "a library is mapped, not started";
  EXPECT_EQ(names_of(access_at(plan, "/w")),
            (Names{"read-file", "read-dir", "write-file", "truncate", "refer", "make-reg", "make-dir", "make-sym",
                   "make-sock", "make-fifo", "remove-file", "remove-dir"}));
}

TEST(LandlockPlan, AFileCarriesNoRightOfFolders) {
  const Plan plan =
      landlock::plan(view_of({anchor("/file", view::Node::File, view::kRead | view::kWrite | view::kExec),
                              anchor("/dev/null", view::Node::Device, view::kRead | view::kWrite | view::kDevice)}),
                     {kNewestAbi});
  EXPECT_EQ(names_of(access_at(plan, "/file")), (Names{"read-file", "write-file", "truncate", "execute"}));
  EXPECT_EQ(names_of(access_at(plan, "/dev/null")), (Names{"read-file", "write-file", "truncate", "ioctl-dev"}));
}

TEST(LandlockPlan, NeverAllowsDeviceNodesToBeMadeNorSocketsOfTheHostToBeReached) {
  const Plan plan = landlock::plan(view_of({anchor("/all", view::Node::Folder, 31)}), {kNewestAbi});
  for (const Rule& rule : plan.rules)
    for (const char* never : {"make-char", "make-block", "resolve-unix"})
      EXPECT_FALSE(names_of(rule.access).contains(never)) << never << " at " << rule.path;
}

TEST(LandlockPlan, ASocketThatIsNamedMayBeReachedAndNotRead) {
  const Plan plan = landlock::plan(view_of({anchor("/socket", view::Node::File, view::kSocket)}), {kNewestAbi});
  EXPECT_EQ(names_of(access_at(plan, "/socket")), Names{"resolve-unix"});
}

TEST(LandlockPlan, TheRootOfTheViewMayBeListedAndNothingMore) {
  EXPECT_EQ(names_of(access_at(plan({}, {kNewestAbi}), "/")), Names{"read-dir"});
}

TEST(LandlockPlan, TheTemporaryFoldersAreForFilesNotForPrograms) {
  const Plan plan = landlock::plan({}, {kNewestAbi});
  for (const char* path : {"/tmp", "/dev/shm"}) {
    EXPECT_TRUE(names_of(access_at(plan, path)).contains("make-reg")) << path;
    EXPECT_FALSE(names_of(access_at(plan, path)).contains("execute")) << path;
  }
}

TEST(LandlockPlan, InProcAndAmongDevicesNothingIsMadeOrRemoved) {
  const Plan plan = landlock::plan({}, {kNewestAbi});
  for (const char* path : {"/proc", "/dev"}) {
    const Names rights = names_of(access_at(plan, path));
    EXPECT_TRUE(rights.contains("write-file")) << path;
    for (const std::string& right : rights)
      EXPECT_FALSE(right.starts_with("make-") || right.starts_with("remove-")) << path << " " << right;
  }
}

TEST(LandlockPlan, RulesOfGrantsGoByTheDescriptorThatWasMounted) {
  const Plan plan = landlock::plan(
      view_of({anchor("/a", view::Node::Folder, view::kRead), anchor("/b", view::Node::Folder, view::kRead)}),
      {kNewestAbi});
  ASSERT_GE(plan.rules.size(), 2U);
  EXPECT_EQ(plan.rules[0].anchor, 0U);
  EXPECT_EQ(plan.rules[1].anchor, 1U);
  for (const Rule& rule : plan.rules) EXPECT_TRUE(rule.path != "/tmp" || rule.anchor == Rule::kInView);
}

TEST(LandlockPlan, AnAnchorThatIsShownByAnotherMountStillHasItsRule) {
  view::Plan view = view_of({anchor("/usr", view::Node::Folder, view::kRead),
                             anchor("/usr/bin/tool", view::Node::File, view::kRead | view::kExec)});
  view.anchors[1].mounted = false;
  EXPECT_TRUE(names_of(access_at(plan(view, {kNewestAbi}), "/usr/bin/tool")).contains("execute"));
}

TEST(LandlockRights, AreInOrderOfTheirAbiAndEachBitOnce) {
  std::uint64_t seen = 0;
  int abi = 0;
  for (const Right& right : kRights) {
    EXPECT_EQ(seen & right.bit, 0U) << right.name;
    EXPECT_LE(abi, right.since_abi) << right.name;
    seen |= right.bit;
    abi = right.since_abi;
  }
  EXPECT_EQ(seen, (1ULL << kRights.size()) - 1) << "the kernel's bits have no gaps";
}

}  // namespace
}  // namespace jail::confine::landlock
