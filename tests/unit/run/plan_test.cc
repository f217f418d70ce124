// From a profile to what will happen: the layers as they will hold, and what must be refused. On paper throughout.
#include "run/plan.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <algorithm>
#include <functional>

#include "../machine.h"
#include "profile/layers.h"

namespace jail::run {
namespace {

using confine::LayerState;
using profile::Access;
using profile::Profile;
using test::granting;
using test::line;
using test::Machine;

constexpr int kAbi = 7;  // Linux 6.15

Request request(Strictness strictness = Strictness::Required) {
  Request request;
  request.argv = {"tool", "--flag"};
  request.launcher = {.uid = 1001, .gid = 1001, .groups = {}};
  request.strictness = strictness;
  return request;
}

Plan planned(const Profile& profile, Strictness strictness = Strictness::Required, int abi = kAbi) {
  return plan(profile, {}, {.landlock = {abi}}, request(strictness));
}

const confine::Layer* layer(const Plan& plan, std::string_view name) {
  for (const confine::Layer& layer : plan.layers)
    if (layer.name == name) return &layer;
  return nullptr;
}

std::vector<std::string> refused_layers(const Plan& plan) {
  std::vector<std::string> names;
  for (const Refusal& refusal : plan.refusals) names.push_back(refusal.layer);
  return names;
}

using Names = std::vector<std::string>;

TEST(Plan, OfAnEmptyProfileIsRefusedNothing) {
  const Plan plan = planned({});
  EXPECT_EQ(refused_layers(plan), Names{});
  EXPECT_EQ(plan.grace_ms, 2000U);
  EXPECT_EQ(plan.time_ms, std::nullopt);
}

TEST(Plan, SpeaksOnlyTheOneVocabularyOfLayersAndNamesEachOnce) {
  Profile profile;
  profile.limits.cpu = {1.0, line(1)};
  profile.limits.memory = {1U << 20, line(2)};
  profile.limits.cpu_time_ms = {1000, line(3)};
  profile.limits.file_size = {1000, line(4)};
  profile.limits.time_ms = {1000, line(5)};
  profile.limits.io = {1U << 20, line(7)};
  profile.integrity = profile::Integrity{"/srv", std::string(64, 'a'), line(6)};
  const Plan plan = planned(profile);
  for (const confine::Layer& layer : plan.layers) {
    EXPECT_TRUE(profile::is_layer(layer.name)) << layer.name;
    EXPECT_EQ(std::ranges::count(plan.layers, layer.name, &confine::Layer::name), 1) << layer.name;
  }
  for (const std::string_view name : profile::kLayers)
    EXPECT_NE(layer(plan, name), nullptr) << name << " is said nothing of";
}

TEST(Plan, SaysWhyWhateverIsNotEnforced) {
  for (const confine::Layer& layer : planned({}, Strictness::Required, 1).layers)
    EXPECT_EQ(layer.reason.empty(), layer.state == LayerState::Enforced) << layer.name;
}

// ---- keys whose mechanism does not exist yet: parsed, checked, and refused by the name of their layer

struct Unbuilt {
  const char* key;
  std::string layer;
  std::function<void(Profile&)> state;
};

const std::vector<Unbuilt> kUnbuilt = {
    {"network.allow", "net",
     [](Profile& p) { p.network.allow = {{.host = "127.0.0.1", .ports = {}, .place = line(9)}}; }},
    {"network.listen", "net",
     [](Profile& p) { p.network.listen = {{.host = "127.0.0.1", .ports = {}, .place = line(9)}}; }},
    {"network.unix without a listener", "net",
     [](Profile& p) {
       p.network.unix_sockets = {{"/run/db.sock", line(9)}};
     }},
    {"monitor.source ebpf", "monitor",
     [](Profile& p) {
       p.monitor.source = {profile::MonitorSource::Ebpf, line(9)};
     }},
    {"monitor.source notify", "monitor",
     [](Profile& p) {
       p.monitor.source = {profile::MonitorSource::Notify, line(9)};
     }},
    {"monitor.files denied", "monitor",
     [](Profile& p) {
       p.monitor.files = {profile::MonitorFiles::Denied, line(9)};
     }},
    {"monitor.files all", "monitor",
     [](Profile& p) {
       p.monitor.files = {profile::MonitorFiles::All, line(9)};
     }},
    {"monitor.on_loss kill", "monitor",
     [](Profile& p) {
       p.monitor.on_loss = {profile::OnLoss::Kill, line(9)};
     }},
    {"audit.durable each", "audit",
     [](Profile& p) {
       p.audit.durable = {profile::Durable::Each, line(9)};
     }},
    {"limits.cpu", "limits.cpu",
     [](Profile& p) {
       p.limits.cpu = {1.5, line(9)};
     }},
    {"limits.io", "limits.io",
     [](Profile& p) {
       p.limits.io = {1U << 20, line(9)};
     }},
};

TEST(PlanRefuses, EveryKeyWithoutAMechanismByItsLayerAndLine) {
  for (const Unbuilt& unbuilt : kUnbuilt) {
    Profile profile;
    unbuilt.state(profile);
    const Plan plan = planned(profile);
    ASSERT_EQ(refused_layers(plan), Names{unbuilt.layer}) << unbuilt.key;
    EXPECT_EQ(plan.refusals[0].place, line(9)) << unbuilt.key;
    EXPECT_FALSE(plan.refusals[0].reason.empty()) << unbuilt.key;
    EXPECT_NE(plan.refusals[0].hint.find(unbuilt.layer), std::string::npos) << unbuilt.key;
  }
}

TEST(PlanRefuses, SuchAKeyNoLongerOnceItsLayerMayBeAbsent) {
  for (const Unbuilt& unbuilt : kUnbuilt) {
    Profile profile;
    unbuilt.state(profile);
    profile.best_effort = {{unbuilt.layer, line(20)}};
    const Plan plan = planned(profile);
    EXPECT_EQ(refused_layers(plan), Names{}) << unbuilt.key;
    ASSERT_NE(layer(plan, unbuilt.layer), nullptr) << unbuilt.key;
    EXPECT_EQ(layer(plan, unbuilt.layer)->state, LayerState::Absent) << unbuilt.key << " must not look enforced";
  }
}

TEST(PlanRefuses, SuchAKeyStillWhenAnotherLayerMayBeAbsent) {
  for (const Unbuilt& unbuilt : kUnbuilt) {
    Profile profile;
    unbuilt.state(profile);
    profile.best_effort = {{"keyring", line(20)}};
    EXPECT_EQ(refused_layers(planned(profile)), Names{unbuilt.layer}) << unbuilt.key;
  }
}

TEST(PlanRefuses, NothingOfThatWithBestEffortOnTheCommandLine) {
  for (const Unbuilt& unbuilt : kUnbuilt) {
    Profile profile;
    unbuilt.state(profile);
    EXPECT_EQ(refused_layers(planned(profile, Strictness::BestEffort)), Names{}) << unbuilt.key;
  }
}

TEST(PlanRefuses, AllOfThemAtOnce) {
  Profile profile;
  for (const Unbuilt& unbuilt : kUnbuilt) unbuilt.state(profile);
  Names names = refused_layers(planned(profile));
  std::ranges::sort(names);
  EXPECT_EQ(names, (Names{"audit", "limits.cpu", "limits.io", "monitor", "net"}));
}

TEST(PlanRefuses, NothingThatIsStatedAsItIsByDefault) {
  Profile profile;
  profile.network.mode = {profile::NetworkMode::Isolated, line(1)};
  profile.monitor.source = {profile::MonitorSource::Auto, line(2)};
  profile.monitor.files = {profile::MonitorFiles::None, line(3)};
  profile.monitor.on_loss = {profile::OnLoss::Count, line(4)};
  profile.audit.durable = {profile::Durable::Batch, line(5)};
  EXPECT_EQ(refused_layers(planned(profile)), Names{});
}

TEST(PlanRefuses, NoLimitThatOnlyAControlGroupWouldHoldInFull) {
  Profile profile;
  profile.limits.memory = {512U << 20, line(1)};
  profile.limits.pids = {64, line(2)};
  EXPECT_EQ(refused_layers(planned(profile)), Names{});
  EXPECT_EQ(layer(planned(profile), "limits.memory")->state, LayerState::Partial);
}

// ---- the floor

TEST(PlanRefuses, AKernelWithoutLandlockWhateverMayBeAbsent) {
  Profile profile;
  profile.best_effort = {{"landlock", line(1)}};
  for (const Strictness strictness : {Strictness::Required, Strictness::BestEffort}) {
    const Plan plan = planned(profile, strictness, 0);
    EXPECT_EQ(refused_layers(plan), Names{"landlock"});
    EXPECT_FALSE(plan.refusals.at(0).hint.empty());
  }
}

TEST(PlanRefuses, NoOldLandlockThatNamesWhatItLacks) {
  for (int abi = 1; abi <= 10; ++abi) EXPECT_EQ(refused_layers(planned({}, Strictness::Required, abi)), Names{}) << abi;
}

TEST(PlanRefuses, AnIdentityThatCannotBeHad) {
  Profile profile;
  profile.user = {{.kind = profile::User::Kind::Named, .name = "worker"}, line(7)};
  const Plan plan = planned(profile, Strictness::BestEffort);
  EXPECT_EQ(refused_layers(plan), Names{"userns"});
  EXPECT_EQ(plan.refusals.at(0).place, line(7));
}

// A misspelt name in `deny` would leave the call open without a word.
TEST(PlanRefuses, ASystemCallThatNobodyKnows) {
  for (const bool denied : {false, true}) {
    Profile profile;
    (denied ? profile.syscalls.deny : profile.syscalls.allow) = {{"ptraec", line(8)}};
    const Plan plan = planned(profile, Strictness::BestEffort);
    EXPECT_EQ(refused_layers(plan), Names{"seccomp"});
    EXPECT_EQ(plan.refusals.at(0).place, line(8));
    EXPECT_NE(plan.refusals.at(0).reason.find("ptraec"), std::string::npos) << plan.refusals.at(0).reason;
  }
}

// ---- what a layer left out must not open elsewhere

bool may_make_unix_sockets(const Plan& plan) {
  seccomp_data call{};
  call.nr = static_cast<int>(confine::seccomp::find_row("socket")->number);
  call.arch = 0xc000003e;
  call.args[0] = AF_UNIX;
  call.args[1] = SOCK_STREAM;
  return confine::seccomp::evaluate(plan.seccomp, call) == confine::seccomp::kAllow;
}

TEST(PlanFilter, AllowsUnixSocketsOnlyWhereLandlockHoldsThemToTheirPaths) {
  for (int abi = 1; abi <= 10; ++abi)
    EXPECT_EQ(may_make_unix_sockets(planned({}, Strictness::Required, abi)), abi >= 9) << abi;
}

// Without Landlock ABI 9 and a listener nobody makes the stated connections: a socket of the plugin's own would reach
// every path it sees (DECISIONS 10).
TEST(PlanFilter, DoesNotAllowThemBecauseTheProfileWantsSomeAndMayGoWithout) {
  Profile profile;
  profile.network.unix_sockets = {{"/run/db.sock", line(1)}};
  profile.best_effort = {{"net", line(2)}};
  EXPECT_FALSE(may_make_unix_sockets(planned(profile, Strictness::Required, 8)));
  EXPECT_FALSE(may_make_unix_sockets(planned(profile, Strictness::BestEffort, 8)));
}

Plan planned_with_a_listener(const Profile& profile, int abi) {
  monitor::Support monitor;
  monitor.seccomp.notify = true;
  return plan(profile, {}, {.landlock = {abi}, .monitor = monitor}, request());
}

TEST(PlanFilter, ConnectsToStatedSocketsForThePluginBelowAbi9AndOnlyThere) {
  Profile profile;
  profile.network.unix_sockets = {{"/run/db.sock", line(1)}};
  for (int abi = 1; abi <= 10; ++abi) {
    const Plan plan = planned_with_a_listener(profile, abi);
    EXPECT_EQ(refused_layers(plan), Names{}) << abi;
    EXPECT_TRUE(may_make_unix_sockets(plan)) << abi;
    EXPECT_EQ(plan.connections == monitor::Connections::BySupervisor, abi < 9) << abi;
  }
  EXPECT_EQ(planned_with_a_listener({}, 8).connections, monitor::Connections::ByPlugin) << "it wants none";
  EXPECT_FALSE(may_make_unix_sockets(planned_with_a_listener({}, 8)));
  profile.monitor.source = {profile::MonitorSource::None, line(2)};
  EXPECT_EQ(refused_layers(planned_with_a_listener(profile, 8)), Names{"net"});
  EXPECT_FALSE(may_make_unix_sockets(planned_with_a_listener(profile, 8)));
}

TEST(PlanNetwork, IsTheJailsOwnUnlessTheProfileStatesTheHosts) {
  using Net = confine::namespaces::Plan::Net;
  EXPECT_EQ(planned({}).namespaces.net, Net::Own);
  Profile profile;
  profile.network.allow = {{.host = "api.example", .ports = {}, .place = line(1)}};
  EXPECT_EQ(planned(profile, Strictness::BestEffort).namespaces.net, Net::Own)
      << "a way out that is missing opens no other";
  Profile host;
  host.network.mode.value = profile::NetworkMode::Host;
  const Plan shared = planned(host);
  EXPECT_EQ(shared.namespaces.net, Net::Hosts);
  EXPECT_TRUE(shared.refusals.empty()) << "a weakening that the profile names";
}

// ---- the command

std::vector<std::string> candidates(const std::string& program, std::vector<profile::EnvValue> set = {}) {
  Profile profile;
  profile.env.set = std::move(set);
  Request wanted = request();
  wanted.argv = {program};
  wanted.caller_environment = {"PATH=/callers"};
  return plan(profile, {}, {.landlock = {kAbi}}, wanted).command.candidates;
}

TEST(PlanCommand, IsSearchedInTheJailsPathNotTheCallers) {
  EXPECT_EQ(candidates("tool"), (Names{"/usr/local/bin/tool", "/usr/bin/tool", "/bin/tool"}));
  EXPECT_EQ(candidates("tool", {{"PATH", "/opt/a:/opt/b", line(1)}}), (Names{"/opt/a/tool", "/opt/b/tool"}));
}

TEST(PlanCommand, WithASlashIsThatFileAlone) {
  EXPECT_EQ(candidates("/opt/tool"), Names{"/opt/tool"});
  EXPECT_EQ(candidates("./tool"), Names{"./tool"});
}

// For a shell an empty part is the working folder: a plugin's own files would stand in for programs.
TEST(PlanCommand, AnEmptyPartOfThePathIsNoFolder) {
  EXPECT_EQ(candidates("tool", {{"PATH", ":/opt/a::/opt/b:", line(1)}}), (Names{"/opt/a/tool", "/opt/b/tool"}));
  EXPECT_EQ(candidates("tool", {{"PATH", "", line(1)}}), Names{});
}

// ---- the text

TEST(Describe, IsTheSameForTheSamePlan) {
  Machine machine;
  machine.folder("/usr").folder("/srv");
  const Profile profile = granting({{Access::Read, "/usr"}, {Access::Write, "/srv"}});
  const auto text = [&] { return describe(plan(profile, machine.facts(), {.landlock = {kAbi}}, request())); };
  EXPECT_EQ(text(), text());
}

TEST(Describe, DiffersForEveryDecisionThatDiffers) {
  Machine machine;
  machine.folder("/usr").folder("/srv").folder("/srv/keys");
  const Profile basis = granting({{Access::Read, "/usr"}, {Access::Write, "/srv"}});
  const auto text = [&](const Profile& profile) {
    return describe(plan(profile, machine.facts(), {.landlock = {kAbi}}, request(Strictness::BestEffort)));
  };
  const std::vector<std::pair<const char*, std::function<void(Profile&)>>> changes = {
      {"access", [](Profile& p) { p.filesystem.grants[0].access = Access::Write; }},
      {"hide", [](Profile& p) { p = test::hiding(p, {"/srv/keys"}); }},
      {"temporary", [](Profile& p) { p.filesystem.temporary.value = 1 << 20; }},
      {"cwd", [](Profile& p) { p.cwd.value = "/usr"; }},
      {"pids", [](Profile& p) { p.limits.pids.value = 5; }},
      {"files", [](Profile& p) { p.limits.files.value = 64; }},
      {"memory", [](Profile& p) { p.limits.memory.value = 1 << 20; }},
      {"file_size", [](Profile& p) { p.limits.file_size.value = 1 << 20; }},
      {"time", [](Profile& p) { p.limits.time_ms.value = 1000; }},
      {"cpu_time", [](Profile& p) { p.limits.cpu_time_ms.value = 1000; }},
      {"syscalls",
       [](Profile& p) {
         p.syscalls.deny = {{"ptrace", line(1)}};
       }},
      {"set", [](Profile& p) { p.syscalls.set.value = profile::SyscallSet::Strict; }},
      {"environment",
       [](Profile& p) {
         p.env.set = {{"MODE", "x", line(1)}};
       }},
      {"network",
       [](Profile& p) {
         p.network.mode = {profile::NetworkMode::Host, line(1)};
       }},
  };
  for (const auto& [what, change] : changes) {
    Profile changed = basis;
    change(changed);
    EXPECT_NE(text(changed), text(basis)) << what;
  }
}

TEST(Describe, ShowsNoValueOfAVariable) {
  Profile profile;
  profile.env.secret = {{"TOKEN", line(1)}};
  Request wanted = request();
  wanted.caller_environment = {"TOKEN=hunter2hunter2"};
  const std::string text = describe(plan(profile, {}, {.landlock = {kAbi}}, wanted));
  EXPECT_NE(text.find("TOKEN"), std::string::npos);
  EXPECT_EQ(text.find("hunter2"), std::string::npos);
}

TEST(Describe, IsOneLineADecisionWhateverAPathIsCalled) {
  Machine machine;
  machine.folder("/srv/a\nmount           write /etc");
  const Profile profile = granting({{Access::Read, "/srv/a\nmount           write /etc"}});
  const std::string text = describe(plan(profile, machine.facts(), {.landlock = {kAbi}}, request()));
  EXPECT_EQ(text.find("\nmount           write /etc"), std::string::npos);
}

}  // namespace
}  // namespace jail::run
