// A view on paper, and what is foreseen for those who walk in it.
#include "monitor/predict.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <map>

namespace jail::monitor {
namespace {

using confine::view::Anchor;
using confine::view::Node;
using event::Decision;
using profile::Place;

constexpr Decision kAllowed = Decision::Allowed, kDenied = Decision::Denied;

Place line(int number) { return {"crm.yaml", number, 3}; }

Anchor anchor(std::string path, Node node, unsigned access, int number) {
  return {.path = std::move(path), .node = node, .identity = {}, .access = access, .mounted = true,
          .places = {line(number)}};
}

const confine::view::Plan& view() {
  namespace access = confine::view;
  static const confine::view::Plan plan{
      .anchors = {anchor("/etc/hosts", Node::File, access::kRead, 1),
                  anchor("/srv/data", Node::Folder, access::kRead, 2),
                  anchor("/srv/data/out", Node::Folder, access::kRead | access::kWrite, 3),
                  anchor("/usr/bin/tool", Node::File, access::kRead | access::kExec, 4),
                  anchor("/usr/lib", Node::Folder, access::kRead | access::kLibrary, 5),
                  anchor("/var/state", Node::Folder, access::kRead | access::kWrite, 6)},
      .links = {{"/bin", "usr/bin"}, {"/loop", "loop"}, {"/etc/host", "/etc/hosts"}},
      .pins = {},
      .masks = {{"/srv/data/keys", Node::Folder, {}, line(9)}, {"/var/state/secret", Node::File, {}, line(10)}},
      .holds = {},
      .temporary_bytes = 0,
      .cwd = "/"};
  return plan;
}

std::string magic(std::string_view name) {
  const std::map<std::string_view, std::string> links{
      {"self/cwd", "/var/state"}, {"thread-self/cwd", "/var/state"}, {"self/fd/7", "/srv/data/keys"},
      {"self/fd/8", "pipe:[1]"}, {"self/fd/9", "/memfd:code"}};
  const auto found = links.find(name);
  return found != links.end() ? found->second : "";
}

monitor::Place at(std::string_view path) {
  static const Places places(view());
  return places.find(path, magic);
}

TEST(PlaceOf, FollowsTheLinksThatAJailMakes) {
  const std::pair<const char*, const char*> paths[] = {
      {"/etc/hosts", "/etc/hosts"},
      {"//etc/./hosts/", "/etc/hosts"},
      {"/srv/data/../../etc/hosts", "/etc/hosts"},
      {"/../../..", "/"},
      {"/bin/tool", "/usr/bin/tool"},
      {"/etc/host", "/etc/hosts"},
      {"/proc/self/root/etc/hosts", "/etc/hosts"},
      {"/proc/thread-self/cwd/x", "/var/state/x"},
      {"/proc/4711/root/etc", "/etc"},
      {"/dev/fd/7/id", "/srv/data/keys/id"},
      {"/dev/fd/../root/etc/hosts", "/etc/hosts"},
      {"/proc/self/fd/8", "/proc/self/fd/8"},
      {"/proc/1/root/etc/hosts", "/proc/1/root/etc/hosts"},
      {"/dev/stdin", "/proc/self/fd/0"},
  };
  for (const auto& [asked, meant] : paths) EXPECT_EQ(at(asked).path, meant) << asked;
  EXPECT_TRUE(at("/loop").endless);
}

struct Expected {
  const char* path;
  unsigned wants;
  Decision decision;
  const char* layer = "";
  int error = 0;
  int line = 0;  // 0: the default
};

const Expected kTable[] = {
    {"/etc/hosts", kRead, kAllowed},
    {"/etc/hosts", kWrite, kDenied, "mount", EROFS, 1},
    {"/etc/hosts", kExecute, kDenied, "mount", EACCES, 1},
    {"/srv/data/a/b", kRead, kAllowed},
    {"/srv/data/a", kCreate, kDenied, "mount", EROFS, 2},
    {"/srv/data/out/a", kCreate | kWrite, kAllowed},
    {"/srv/data/out/a", kDelete, kAllowed},
    {"/srv/data/out/a", kExecute, kDenied, "mount", EACCES, 3},
    {"/srv/data/out/a", kMap, kDenied, "mount", EPERM, 3},
    {"/usr/bin/tool", kExecute | kMap, kAllowed},
    {"/usr/lib/a.so", kMap, kAllowed},
    {"/usr/lib/tool", kExecute, kDenied, "landlock", EACCES, 5},
    // Hidden ones: the place itself and what would lie below.
    {"/srv/data/keys", kLook, kAllowed},
    {"/srv/data/keys", kRead, kDenied, "mount", EACCES, 9},
    {"/srv/data/keys/id", kLook, kDenied, "mount", EACCES, 9},
    {"/var/state/secret", kRead, kDenied, "mount", EACCES, 10},
    {"/var/state/secret", kWrite, kDenied, "mount", EROFS, 10},
    {"/var/state/secret", kDelete, kDenied, "mount", EBUSY, 10},
    // Folders that only lead somewhere.
    {"/", kRead, kAllowed},
    {"/srv", kRead | kLook, kAllowed},
    {"/srv/new", kCreate, kDenied, "mount", EROFS},
    {"/srv", kDelete, kDenied, "mount", EROFS},
    // What nobody grants.
    {"/etc/shadow", kRead, kDenied, "mount", ENOENT},
    {"/home/x", kLook, kDenied, "mount", ENOENT},
    {"/home/x/y", kCreate, kDenied, "mount", ENOENT},
    {"/srv/datas", kRead, kDenied, "mount", ENOENT},
    // jail's own.
    {"/tmp/x", kCreate | kWrite | kDelete, kAllowed},
    {"/dev/shm/x", kCreate, kAllowed},
    {"/tmp/x", kExecute, kDenied, "mount", EACCES},
    {"/dev/null", kRead | kWrite, kAllowed},
    {"/dev/kmsg", kRead, kDenied, "mount", ENOENT},
    {"/dev", kRead, kAllowed},
    {"/dev/new", kCreate, kDenied, "mount", EROFS},
    {"/proc/self/status", kRead, kAllowed},
    {"/proc/sys/kernel/core_pattern", kWrite, kDenied, "mount", ENOENT},
    {"/proc/1/environ", kRead, kDenied, "permission", ENOENT},
    {"/proc/self/fd/9", kRead, kAllowed},
    {"/proc/self/fd/9", kExecute, kDenied, "permission", EACCES},
};

TEST(Foreseen, FromThePlan) {
  for (const Expected& one : kTable) {
    const Prediction prediction = predict(at(one.path), one.wants);
    SCOPED_TRACE(std::string(one.path) + " wants " + std::to_string(one.wants));
    EXPECT_EQ(prediction.decision, one.decision);
    EXPECT_EQ(prediction.layer, one.layer);
    EXPECT_EQ(prediction.error, one.error);
    EXPECT_EQ(prediction.rule == nullptr ? 0 : prediction.rule->line, one.line);
  }
}

// A program that looks for what is nowhere is denied nothing: somebody has to look.
TEST(Foreseen, HoldsForWhatTheHostHas) {
  using Provided = Prediction::Provided;
  EXPECT_EQ(predict(at("/etc/shadow"), kRead).provided, Provided::PathExists);
  EXPECT_EQ(predict(at("/home/x/y"), kCreate).provided, Provided::ParentExists);
  EXPECT_EQ(predict(at("/proc/4711/mem"), kRead).provided, Provided::ProcessIsForeign);
  EXPECT_EQ(predict(at("/srv/data/keys/id"), kRead).provided, Provided::Always);
}

TEST(ForeseenMoves, StayInOneMount) {
  const auto move = [](const char* from, const char* to) { return predict_move(at(from), kDelete, at(to), kCreate); };
  EXPECT_EQ(move("/var/state/a", "/var/state/b").decision, kAllowed);
  EXPECT_EQ(move("/tmp/a", "/tmp/b").decision, kAllowed);
  EXPECT_EQ(move("/var/state/a", "/srv/data/out/b").error, EXDEV);
  EXPECT_EQ(move("/tmp/a", "/var/state/b").error, EXDEV);
  EXPECT_EQ(move("/srv/data/a", "/srv/data/out/b").error, EROFS);
  EXPECT_EQ(move("/var/state/a", "/etc/hosts").rule->line, 1);
}

}  // namespace
}  // namespace jail::monitor
