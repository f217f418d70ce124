// Runs the tables: every case in a jail that root launched and in one that an ordinary user launched, then its control.
// An event of a kind that no source delivers yet is `pending(3)`: counted and named at the end, never passed silently.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <map>
#include <set>

#include "case.h"

namespace jail::test {

std::ostream& operator<<(std::ostream& out, const Case& one) { return out << one.name; }

std::ostream& operator<<(std::ostream& out, Verdict::Kind kind) {
  static const char* const names[] = {"allowed", "denied", "refused", "none"};
  return out << names[static_cast<int>(kind)];
}

namespace {

using Kind = Verdict::Kind;

std::vector<std::string> without_control, refused_instead;
std::map<std::string, std::set<std::string>> pending_events;  // by kind
constexpr std::string_view kNoSourceYet = "limit.reached";

class Escape : public testing::TestWithParam<std::tuple<Case, Launcher>> {
 protected:
  const Case& one() const { return std::get<0>(GetParam()); }
  Launcher launcher() const { return std::get<1>(GetParam()); }
};

std::string full_name(const Case& one, Launcher launcher) {
  return one.name + (launcher == Launcher::Root ? "_root" : "_user");
}

// Where the test stops before the attack, and why.
std::string reason_to_skip(const Case& one, Launcher launcher) {
  if (launcher == Launcher::Root && !is_root()) return "launched by root: the tests run as an ordinary user";
  if (launcher == Launcher::User && is_root() && std::getenv("JAIL_VM") != nullptr) return "done by the other leg";
  if (one.only == Only::Root && launcher == Launcher::User) return "only for a root launcher";
  if (one.only == Only::User && launcher == Launcher::Root) return "only for an ordinary launcher";
  if (landlock_abi() < one.from_abi)
    return "Landlock ABI " + std::to_string(landlock_abi()) + ", promised from " + std::to_string(one.from_abi);
  return {};
}

struct Attempt {
  Outcome outcome;
  Verdict verdict;
  bool host_was_hit = false;
  std::vector<std::string> log;
};

// A fresh scene for each: what an attempt left behind must not help or hinder the next.
Attempt attempt(const Case& one, Launcher launcher, const std::function<Launch(const Scene&)>& how) {
  Scene scene(launcher);
  if (one.setup) one.setup(scene);
  Launch launch = how(scene);
  for (const auto& [name, value] : one.environment) launch.environment[name] = value;
  if (is_root() && launch.identity.uid == scene.identity().uid) launch.identity.groups = one.groups;
  if (one.prepare) launch.prepare = [&] { one.prepare(scene); };
  Attempt result;
  Started started(launch);
  result.outcome = started.wait();
  result.verdict = verdict_of(result.outcome);
  result.host_was_hit = one.host_was_hit && one.host_was_hit(scene);
  result.log = scene.log_lines();
  return result;
}

Attempt in_jail(const Case& one, Launcher launcher, const Profile& more) {
  return attempt(one, launcher, [&](const Scene& scene) {
    return scene.in_jail(usual_grants() + one.profile + more, one.attack, one.options);
  });
}

Attempt outside_jail(const Case& one, Launcher launcher) {
  return attempt(one, launcher, [&](const Scene& scene) {
    Launch launch = scene.outside(one.control_attack.empty() ? one.attack : one.control_attack);
    if (one.control.kind == Control::Kind::OutsideAsRoot) launch.identity = {};
    return launch;
  });
}

bool has_kind(const std::vector<std::string>& log, const std::string& kind) {
  return std::any_of(log.begin(), log.end(), [&](const std::string& line) {
    return line.find("\"kind\":\"" + kind + "\"") != std::string::npos;
  });
}

// Every record is a line of its own, and a run that began has an end.
void check_log(const Case& one, const Attempt& inside) {
  const bool names_secret = std::find(one.attack.begin(), one.attack.end(), kEnvSecret) != one.attack.end();
  for (const std::string& line : inside.log) {
    EXPECT_TRUE(line.starts_with("{") && line.ends_with("}")) << line;
    const bool leaked = !names_secret && line.find(kEnvSecret) != std::string::npos;
    EXPECT_FALSE(leaked) << "the log holds the caller's secret: " << line;
  }
  const bool refused = inside.verdict.kind == Kind::Refused;
  EXPECT_TRUE(has_kind(inside.log, refused ? "run.refused" : "run.started"));
  if (!refused) { EXPECT_TRUE(has_kind(inside.log, "run.ended")); }
}

// The text of a member, or empty.
std::string member(const std::string& record, const std::string& name) {
  const std::string key = "\"" + name + "\":\"";
  const std::size_t start = record.find(key);
  if (start == std::string::npos) return {};
  const std::size_t from = start + key.size();
  return record.substr(from, record.find('"', from) - from);
}

// A denial says who said no, by which line and with which errno.
bool tells_denial(const Case& one, const std::string& record) {
  if (member(record, "kind") != one.event || member(record, "decision") != "denied") return false;
  const std::string error = member(record, "errno");
  const bool right = one.errors.empty() ? !error.empty() : one.errors.contains(error);
  return right && !member(record, "layer").empty() && !member(record, "rule").empty();
}

void check_event(const Case& one, Launcher launcher, const Attempt& inside) {
  if (one.event.empty() || one.expect == Expect::Allowed || inside.verdict.kind == Kind::Refused) return;
  if (one.event == kNoSourceYet) {
    pending_events[one.event].insert(full_name(one, launcher));
    return;
  }
  if (std::ranges::any_of(inside.log, [&](const std::string& record) { return tells_denial(one, record); })) return;
  ADD_FAILURE() << "no " << one.event << " tells of it";
  for (const std::string& record : inside.log) std::cout << "  " << record << "\n";
}

void check_inside(const Case& one, Launcher launcher, const Attempt& inside) {
  ASSERT_FALSE(inside.outcome.timed_out) << describe(inside.outcome);
  check_log(one, inside);
  if (one.expect == Expect::Allowed) {
    EXPECT_EQ(inside.verdict.kind, Kind::Allowed) << "must work inside\n" << describe(inside.outcome);
    return;
  }
  if (one.expect == Expect::Refused) {
    EXPECT_EQ(inside.verdict.kind, Kind::Refused) << describe(inside.outcome);
    EXPECT_NE(inside.verdict.detail.find(one.names), std::string::npos) << describe(inside.outcome);
    return;
  }
  if (one.expect == Expect::DeniedOrRefused && inside.verdict.kind == Kind::Refused) {
    refused_instead.push_back(full_name(one, launcher) + ": " + inside.verdict.detail);
    return;
  }
  if (one.host_was_hit) {
    EXPECT_FALSE(inside.host_was_hit) << "the host felt it\n" << describe(inside.outcome);
    EXPECT_NE(inside.verdict.kind, Kind::None) << describe(inside.outcome);
    EXPECT_NE(inside.verdict.kind, Kind::Refused) << describe(inside.outcome);
    return;
  }
  ASSERT_EQ(inside.verdict.kind, Kind::Denied) << describe(inside.outcome);
  const bool right = one.errors.empty() || one.errors.contains(inside.verdict.error);
  const bool passed_filter = one.filtered && inside.verdict.detail.find("by the kernel") != std::string::npos;
  EXPECT_FALSE(passed_filter) << inside.verdict.detail;
  EXPECT_TRUE(right) << "another errno\n" << describe(inside.outcome);
}

// False: this machine has nothing of the kind, so nothing was denied either, or only root could tell.
bool check_control(const Case& one, Launcher launcher) {
  if (one.expect == Expect::Allowed) return true;
  const Control& control = one.control;
  if (control.kind == Control::Kind::None) {
    without_control.push_back(one.name + ": " + control.why);
    return true;
  }
  if (control.kind == Control::Kind::OutsideAsRoot && !is_root()) {
    without_control.push_back(one.name + ": needs root");
    return false;
  }
  const Attempt free = control.kind == Control::Kind::Granted ? in_jail(one, launcher, control.granted)
                                                              : outside_jail(one, launcher);
  if (control.unsupported.contains(free.verdict.error)) {
    without_control.push_back(one.name + ": not on this machine (" + free.verdict.error + ")");
    return false;
  }
  if (one.host_was_hit)
    EXPECT_TRUE(free.host_was_hit) << "the control: the host felt nothing\n" << describe(free.outcome);
  else
    EXPECT_EQ(free.verdict.kind, Kind::Allowed) << "the control: it must succeed\n" << describe(free.outcome);
  return true;
}

TEST_P(Escape, IsDenied) {
  if (const std::string reason = reason_to_skip(one(), launcher()); !reason.empty()) GTEST_SKIP() << reason;
  const Attempt inside = in_jail(one(), launcher(), {});
  if (inside.outcome.code() == 98) GTEST_SKIP() << "the host cannot be prepared without root";
  check_inside(one(), launcher(), inside);
  if (check_control(one(), launcher())) check_event(one(), launcher(), inside);
}

std::string name_of(const testing::TestParamInfo<std::tuple<Case, Launcher>>& info) {
  return full_name(std::get<0>(info.param), std::get<1>(info.param));
}

#define TABLE(Name, cases)                                                                                          \
  INSTANTIATE_TEST_SUITE_P(                                                                                         \
      Name, Escape, testing::Combine(testing::ValuesIn(cases()), testing::Values(Launcher::Root, Launcher::User)), \
      name_of)
TABLE(Abi, abi_cases);
TABLE(Paths, path_cases);
TABLE(Mounts, mount_cases);
TABLE(Descriptors, descriptor_cases);
TABLE(Ipc, ipc_cases);
TABLE(Sockets, socket_cases);
TABLE(Identity, identity_cases);
TABLE(Secrets, secret_cases);
TABLE(Resources, resource_cases);
TABLE(Changes, change_cases);
#undef TABLE

void print(const char* title, std::vector<std::string> list) {
  std::sort(list.begin(), list.end());
  list.erase(std::unique(list.begin(), list.end()), list.end());
  std::cout << list.size() << " " << title << "\n";
  for (const std::string& line : list) std::cout << "  " << line << (line.ends_with('\n') ? "" : "\n");
}

// What a green run does not say by itself.
class Summary : public testing::Environment {
 public:
  void SetUp() override { adopt_orphans(); }
  void TearDown() override {
    std::cout << "\nLandlock ABI " << landlock_abi() << ", " << (is_root() ? "as root" : "as an ordinary user") << "\n";
    print("without a control:", without_control);
    print("refused at load instead of denied:", refused_instead);
    std::size_t pending = 0;
    for (const auto& [kind, names] : pending_events) pending += names.size();
    std::cout << pending << " pending(3), the event is not there yet:\n";
    for (const auto& [kind, names] : pending_events) {
      std::cout << "  " << kind << " (" << names.size() << "):";
      for (const std::string& name : names) std::cout << " " << name;
      std::cout << "\n";
    }
  }
};

const testing::Environment* const summary = testing::AddGlobalTestEnvironment(new Summary);

}  // namespace
}  // namespace jail::test
