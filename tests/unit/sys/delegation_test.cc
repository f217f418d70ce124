// Where a run's control group may stand, in trees of ordinary files that say what a kernel's would.
#include "sys/delegation.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "../../scratch.h"

namespace jail::sys::delegation {
namespace {

constexpr pid_t kSelf = 4711;
constexpr const char* kControllers = "cpuset cpu io memory pids";

class Find : public testing::Test {
 protected:
  struct Group {
    std::string controllers = kControllers, subtree{}, procs{}, type = "domain";
  };

  void add(const std::string& path, const Group& group) const {
    const std::filesystem::path folder = top() + path;
    std::filesystem::create_directories(folder);
    std::ofstream(folder / "cgroup.controllers") << group.controllers << "\n";
    std::ofstream(folder / "cgroup.subtree_control") << group.subtree << "\n";
    std::ofstream(folder / "cgroup.procs") << group.procs;
    if (!group.type.empty()) std::ofstream(folder / "cgroup.type") << group.type << "\n";
  }
  void limit(const std::string& path, const char* file, const char* value) const {
    std::ofstream(top() + path + "/" + file) << value << "\n";
  }
  [[nodiscard]] std::string top() const { return scratch_.path(); }
  [[nodiscard]] Place from(const std::string& own, unsigned needed = 0) const {
    return find_in({top(), top() + own}, kSelf, needed);
  }

  test::Scratch scratch_;
};

TEST_F(Find, BesideOurOwnWhereTheGroupAbovePassesControllersOn) {
  add("", {.subtree = kControllers, .type = ""});
  add("/user", {.subtree = "cpu memory pids"});
  add("/user/shell", {.procs = "12\n4711\n"});
  const Place place = from("/user/shell");
  EXPECT_EQ(place.parent, top() + "/user");
  EXPECT_EQ(place.entry, Place::Entry::AsWeAre);
  EXPECT_EQ(place.support.controllers, kAll);
  EXPECT_GT(place.support.ram, 1U << 20);
}

TEST_F(Find, AGroupWithoutProcessesMayBeToldToPassThemOn) {
  add("/user", {.subtree = "memory"});
  add("/user/shell", {.procs = "12\n4711\n"});
  EXPECT_EQ(from("/user/shell").parent, top() + "/user");
  EXPECT_EQ(from("/user/shell").support.controllers, kAll);
}

TEST_F(Find, OurOwnWhereWeAreAlone) {
  add("", {.subtree = kControllers, .type = ""});
  add("/scope", {.procs = "4711\n"});
  EXPECT_EQ(from("/scope").parent, top() + "/scope");
  EXPECT_EQ(from("/scope").entry, Place::Entry::ThroughALeaf);
}

TEST_F(Find, WhoHasGotOutOfTheWayOfItsOwnFindsItAgain) {
  add("/scope", {.controllers = "memory pids", .subtree = "memory pids"});
  add("/scope/supervisor_of_jails", {.controllers = "memory pids", .procs = "4711\n"});
  limit("/scope", "pids.max", "500");
  const Place place = from("/scope/supervisor_of_jails");
  EXPECT_EQ(place.parent, top() + "/scope");
  EXPECT_EQ(place.entry, Place::Entry::AsWeAre);
  EXPECT_EQ(place.support.why, top() + "/scope has no controller for cpu");
}

TEST_F(Find, TheHighestOfAllMayHaveProcesses) {
  add("", {.procs = "1\n2\n4711\n", .type = ""});
  EXPECT_EQ(from("").parent, top());
  EXPECT_EQ(from("").entry, Place::Entry::AsWeAre);
  EXPECT_EQ(from("").support.controllers, kAll);
}

TEST_F(Find, NoneOutsideAGroupThatHasLimits) {
  add("", {.subtree = kControllers, .type = ""});
  add("/service", {.procs = "12\n4711\n"});
  for (const auto& [file, value] : {std::pair{"memory.max", "1073741824"}, {"pids.max", "500"},
                                    {"cpu.max", "50000 100000"}, {"io.max", "8:0 rbps=1 wbps=max"},
                                    {"cpuset.cpus", "0-1"}}) {
    limit("/service", file, value);
    EXPECT_EQ(from("/service").support.controllers, 0U) << file;
    EXPECT_NE(from("/service").support.why, "") << file;
    limit("/service", file, std::string_view(file) == "cpu.max" ? "max 100000" : "max");
    if (std::string_view(file).starts_with("cpuset") || std::string_view(file) == "io.max") limit("/service", file, "");
    EXPECT_EQ(from("/service").support.controllers, kAll) << file;
  }
}

TEST_F(Find, TheNearestOfThoseWithMost) {
  add("", {.subtree = "memory pids", .procs = "1\n", .type = ""});
  add("/a", {.controllers = "memory pids", .subtree = "memory"});
  add("/a/b", {.controllers = "memory", .subtree = "memory"});
  add("/a/b/c", {.controllers = "memory", .procs = "12\n4711\n"});
  EXPECT_EQ(from("/a/b/c").parent, top());
  add("", {.controllers = "memory", .subtree = "memory", .procs = "1\n", .type = ""});
  add("/a", {.controllers = "memory", .subtree = "memory"});
  EXPECT_EQ(from("/a/b/c").parent, top() + "/a/b");
  EXPECT_EQ(from("/a/b/c").support.controllers, unsigned{kMemory});
}

TEST_F(Find, SaysWhatIsMissing) {
  add("", {.controllers = "memory pids", .subtree = "memory pids", .type = ""});
  add("/scope", {.controllers = "memory pids", .procs = "4711\n"});
  EXPECT_EQ(from("/scope").support.why, top() + "/scope has no controller for cpu");
  EXPECT_EQ(from("/scope").support.controllers, kMemory | kPids);
  add("/scope", {.controllers = "memory pids", .procs = "12\n4711\n"});
  EXPECT_EQ(from("/scope").support.why, top() + "/scope has other processes in it");
}

// Of a group that passes the usual ones on, one above it may pass on the other.
TEST_F(Find, WhatIsOnlyGivenWhereItIsNeededIsOnlyLookedForThere) {
  add("", {.subtree = kControllers, .procs = "1\n", .type = ""});
  add("/user", {.controllers = "cpu memory pids", .subtree = "cpu memory pids"});
  add("/user/shell", {.controllers = "cpu memory pids", .procs = "12\n4711\n"});
  EXPECT_EQ(from("/user/shell").parent, top() + "/user");
  EXPECT_EQ(from("/user/shell").support.controllers, kAll);
  EXPECT_EQ(from("/user/shell", kIo).parent, top());
  EXPECT_EQ(from("/user/shell", kIo).support.controllers, kAll | kIo);
  limit("/user", "pids.max", "500");
  EXPECT_EQ(from("/user/shell", kIo).parent, top() + "/user");
  EXPECT_EQ(from("/user/shell", kIo).support.controllers, kAll);
}

TEST_F(Find, NoneWithoutControllers) {
  add("", {.controllers = "", .procs = "1\n4711\n", .type = ""});
  EXPECT_EQ(from("").support.controllers, 0U);
  EXPECT_EQ(from("").support.why, "the kernel gives no controller to " + top());
  EXPECT_EQ(from("/gone").support.controllers, 0U);
}

}  // namespace
}  // namespace jail::sys::delegation
