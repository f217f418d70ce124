// Who decides about a path, and why: each sort of place told apart. On paper throughout.
#include "run/decide.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <map>

#include "../machine.h"

namespace jail::run {
namespace {

using event::Decision::Allowed;
using event::Decision::Denied;
using event::Decision::Failed;
using profile::Access;
using test::granting;
using test::hiding;
using test::line;
using test::Machine;
using Kind = HostFile::Kind;

constexpr std::uint32_t kUid = 1001;

// A jail over a machine: what is granted stands in `machine`, what the host has in `files`.
struct Scene {
  profile::Profile profile;
  Machine machine;
  std::map<std::string, HostFile> files;

  Scene& has(const std::string& path, Kind kind = Kind::File, std::uint32_t mode = 0755, std::uint32_t owner = kUid) {
    files[path] = {.kind = kind, .owner = owner, .group = owner, .mode = mode, .target = {}, .interpreters = {}};
    return *this;
  }
  Scene& link(const std::string& path, const std::string& target) {
    has(path, Kind::Link, 0777).files[path].target = target;
    return *this;
  }

  run::Decision decides(Operation operation, const std::string& path) const {
    Request request;
    request.launcher = {.uid = kUid, .gid = kUid, .groups = {}};
    const Plan plan = run::plan(profile, machine.facts(), {.landlock = {7}}, request);
    return decide(plan, operation, path, {[this](const std::string& looked_at) -> std::optional<HostFile> {
                    const auto found = files.find(looked_at);
                    if (found == files.end()) return std::nullopt;
                    return found->second;
                  }});
  }
};

Scene scene() {
  Scene scene;
  scene.profile = hiding(granting({{Access::Read, "/r"},
                                   {Access::Write, "/w"},
                                   {Access::Exec, "/x"},
                                   {Access::Library, "/l"},
                                   {Access::Read, "/w/keep"},
                                   {Access::Write, "/r/open"}}),
                         {"/r/secret", "/r/closed"});
  scene.machine.folder("/r").folder("/w").folder("/x").folder("/l").folder("/w/keep").folder("/r/open");
  scene.machine.file("/r/secret").folder("/r/closed");
  for (const char* folder : {"/r", "/w", "/x", "/l", "/w/keep", "/r/open", "/r/closed"})
    scene.has(folder, Kind::Folder);
  for (const char* file : {"/r/f", "/w/f", "/x/f", "/l/f", "/w/keep/f", "/r/open/f", "/r/secret"}) scene.has(file);
  return scene;
}

TEST(Decide, AGrantAllowsWhatItSaysAndItsLineIsNamed) {
  const Scene jail = scene();
  for (const auto& [path, rule] : {std::pair{"/r/f", 1}, {"/w/f", 2}, {"/x/f", 3}, {"/l/f", 4}}) {
    const run::Decision decision = jail.decides(Operation::Read, path);
    EXPECT_EQ(decision.decision, Allowed) << path;
    EXPECT_EQ(decision.rule, line(rule)) << path;
  }
  EXPECT_EQ(jail.decides(Operation::Write, "/w/f").decision, Allowed);
  EXPECT_EQ(jail.decides(Operation::Exec, "/x/f").decision, Allowed);
}

TEST(Decide, AGrantDeniesTheRestAndItsLineIsNamed) {
  const Scene jail = scene();
  const run::Decision write = jail.decides(Operation::Write, "/r/f");
  EXPECT_EQ(write.decision, Denied);
  EXPECT_EQ(write.layer, "mount");
  EXPECT_EQ(write.error, EROFS);
  EXPECT_EQ(write.rule, line(1));
  EXPECT_TRUE(write.grantable);
  EXPECT_EQ(jail.decides(Operation::Exec, "/r/f").layer, "mount");
  EXPECT_EQ(jail.decides(Operation::Exec, "/w/f").error, EACCES);
  EXPECT_EQ(jail.decides(Operation::Exec, "/l/f").layer, "landlock") << "code may be mapped from there";
}

TEST(Decide, WhatNobodyGrantsIsNotThere) {
  const run::Decision decision = scene().decides(Operation::Read, "/etc/shadow");
  EXPECT_EQ(decision.decision, Denied);
  EXPECT_EQ(decision.error, ENOENT);
  EXPECT_EQ(decision.rule, std::nullopt);
  EXPECT_TRUE(decision.grantable);
}

TEST(Decide, TheMostSpecificGrantDecides) {
  const Scene jail = scene();
  const run::Decision carved_out = jail.decides(Operation::Write, "/w/keep/f");
  EXPECT_EQ(carved_out.decision, Denied);
  EXPECT_EQ(carved_out.rule, line(5));
  const run::Decision opened = jail.decides(Operation::Write, "/r/open/f");
  EXPECT_EQ(opened.decision, Allowed);
  EXPECT_EQ(opened.rule, line(6));
}

TEST(Decide, HiddenIsHiddenWhateverIsGrantedAround) {
  const Scene jail = scene();
  for (const auto& [path, rule] : {std::pair{"/r/secret", 51}, {"/r/closed", 52}, {"/r/closed/below", 52}}) {
    const run::Decision decision = jail.decides(Operation::Read, path);
    EXPECT_EQ(decision.decision, Denied) << path;
    EXPECT_EQ(decision.error, EACCES) << path;
    EXPECT_EQ(decision.rule, line(rule)) << path;
    EXPECT_FALSE(decision.grantable) << path;
  }
}

TEST(Decide, FollowsLinksAsTheJailWould) {
  Scene jail = scene();
  jail.link("/r/to-w", "../w/f").link("/r/out", "/etc/shadow").link("/r/to-secret", "secret").link("/r/loop", "loop");
  const run::Decision crossing = jail.decides(Operation::Write, "/r/to-w");
  EXPECT_EQ(crossing.decision, Allowed);
  EXPECT_EQ(crossing.path, "/w/f");
  EXPECT_EQ(crossing.rule, line(2));
  EXPECT_EQ(jail.decides(Operation::Read, "/r/out").error, ENOENT);
  EXPECT_EQ(jail.decides(Operation::Read, "/r/to-secret").rule, line(51));
  const run::Decision loop = jail.decides(Operation::Read, "/r/loop");
  EXPECT_EQ(loop.decision, Failed);
  EXPECT_EQ(loop.error, ELOOP);
}

TEST(Decide, GoesUpFromWhereALinkHasLed) {
  Scene jail = scene();
  jail.has("/w/deep", Kind::Folder).link("/r/down", "/w/deep");
  EXPECT_EQ(jail.decides(Operation::Write, "/r/down/../f").path, "/w/f") << "not /r/f";
}

TEST(Decide, WhatIsMissingInAGrantIsNotDenied) {
  const Scene jail = scene();
  const run::Decision missing = jail.decides(Operation::Read, "/r/none");
  EXPECT_EQ(missing.decision, Failed);
  EXPECT_EQ(missing.error, ENOENT);
  EXPECT_EQ(missing.rule, line(1));
  EXPECT_EQ(jail.decides(Operation::Write, "/w/new").decision, Allowed) << "it is made";
  EXPECT_EQ(jail.decides(Operation::Write, "/w/none/new").decision, Failed);
  EXPECT_EQ(jail.decides(Operation::Write, "/r/new").error, EROFS);
}

TEST(Decide, AFilesOwnModeIsALayerToo) {
  Scene jail = scene();
  jail.has("/r/private", Kind::File, 0600, 0).has("/r/shut", Kind::Folder, 0700, 0).has("/r/shut/f");
  jail.has("/w/read-only", Kind::File, 0444).has("/x/data", Kind::File, 0644);
  for (const auto& [operation, path] : {std::pair{Operation::Read, "/r/private"},
                                        {Operation::Read, "/r/shut/f"},
                                        {Operation::Write, "/w/read-only"},
                                        {Operation::Exec, "/x/data"},
                                        {Operation::Exec, "/x"}}) {
    const run::Decision decision = jail.decides(operation, path);
    EXPECT_EQ(decision.decision, Denied) << path;
    EXPECT_EQ(decision.layer, "permission") << path;
    EXPECT_EQ(decision.error, EACCES) << path;
    EXPECT_FALSE(decision.grantable) << path;
  }
}

TEST(Decide, AScriptNeedsItsInterpreter) {
  Scene jail = scene();
  jail.has("/x/script").files["/x/script"].interpreters = {"/opt/interpreter"};
  const run::Decision decision = jail.decides(Operation::Exec, "/x/script");
  EXPECT_EQ(decision.decision, Denied);
  EXPECT_NE(decision.reason.find("/opt/interpreter"), std::string::npos);
  jail.files["/x/script"].interpreters = {"/x/f"};
  EXPECT_EQ(jail.decides(Operation::Exec, "/x/script").decision, Allowed);
}

TEST(Decide, TheJailsOwnPlacesNeedNoLine) {
  const Scene jail = scene();
  for (const char* path : {"/tmp/x", "/dev/shm/x", "/dev/null"}) {
    EXPECT_EQ(jail.decides(Operation::Write, path).decision, Allowed) << path;
    EXPECT_EQ(jail.decides(Operation::Exec, path).decision, Denied) << path;
    EXPECT_EQ(jail.decides(Operation::Exec, path).rule, std::nullopt) << path;
    EXPECT_FALSE(jail.decides(Operation::Exec, path).grantable) << path;
  }
  EXPECT_EQ(jail.decides(Operation::Read, "/proc/self/status").decision, Allowed);
  EXPECT_EQ(jail.decides(Operation::Read, "/proc/kcore").error, ENOENT);
  EXPECT_EQ(jail.decides(Operation::Read, "/dev/sda").error, ENOENT);
  EXPECT_EQ(jail.decides(Operation::Read, "/").decision, Allowed);
  EXPECT_EQ(jail.decides(Operation::Write, "/new").error, EROFS);
}

}  // namespace
}  // namespace jail::run
