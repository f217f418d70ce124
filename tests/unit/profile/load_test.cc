// Merging, expansion and what a whole profile comes to.
#include "profile/load.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "desk.h"
#include "profile/endpoint.h"

namespace jail::profile {
namespace {

using test::Desk;
using test::good;
using test::kProfilePath;
using test::minimal;

std::vector<std::string> paths(const Profile& profile, Access access) {
  std::vector<std::string> result;
  for (const Grant& grant : profile.filesystem.grants)
    if (grant.access == access) result.push_back(grant.path);
  return result;
}

using Strings = std::vector<std::string>;

// The example of the language's own description, every key of it.
constexpr const char* kWhole = R"(version: 1
name: acme-crm
description: Looks up accounts in the CRM.
extends: [python]
filesystem:
  read: [/etc/ssl/certs, "${plugin}", {path: /opt/acme, optional: true}]
  write: ["${state}"]
  exec: [/opt/acme/bin/tool]
  hide: ["${state}/keys", "preset:home-secrets"]
  temporary: 64M
network:
  allow:
    - tcp://api.acme.example:443
    - udp://10.0.0.0/8:53,123
    - "${env:ACME_CRM_BASE_URL}"
  listen: [tcp://127.0.0.1:8080]
  unix: [/run/postgresql/.s.PGSQL.5432, {path: /run/docker.sock, dangerous: true}]
env:
  allow: [LANG, "LC_*"]
  set: {GREETING: "hello ${user}"}
  secret: [ACME_CRM_TOKEN]
syscalls:
  default: strict
  allow: ["@keyring"]
  deny: [ptrace]
user: "1000:1000"
cwd: "${state}"
limits:
  memory: 512M
  pids: 64
  cpu: 1.5
  files: 256
  file_size: 1G
  time: 30s
  grace: 500ms
  cpu_time: 20s
  io: 20M
monitor:
  source: notify
  files: changes
  hash: ["${plugin}/**/*.py"]
  on_loss: kill
audit: {durable: each}
integrity: {path: "${plugin}", sha256: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08}
best_effort: [limits.cpu]
)";

Desk acme() {
  Desk desk;
  desk.set = {{"plugin", "/srv/plugins/crm"}};
  desk.environment = {{"ACME_CRM_BASE_URL", "https://crm.acme.example/api"}};
  return desk;
}

TEST(Load, ReadsEveryKey) {
  Desk desk = acme();
  const Loaded loaded = desk.load(kWhole);
  EXPECT_EQ(to_text(loaded.diagnostics), "");
  const Profile& profile = loaded.profile;
  EXPECT_EQ(profile.name, "acme-crm");
  EXPECT_EQ(profile.description, "Looks up accounts in the CRM.");
  EXPECT_EQ(profile.place, (Place{kProfilePath, 2, 7}));
  EXPECT_EQ(paths(profile, Access::Write), Strings{"/home/ann/.local/share/jail/state/acme-crm"});
  EXPECT_EQ(profile.filesystem.temporary.value, 64u << 20);
  EXPECT_EQ(profile.filesystem.hidden.front().path, "/home/ann/.local/share/jail/state/acme-crm/keys");
  EXPECT_FALSE(profile.filesystem.hidden.front().optional);
  EXPECT_EQ(profile.filesystem.hidden.at(1).path, "/home/ann/.ssh");
  EXPECT_TRUE(profile.filesystem.hidden.at(1).optional);
  ASSERT_EQ(profile.network.allow.size(), 3u);
  EXPECT_EQ(to_string(profile.network.allow[2]), "tcp://crm.acme.example:443");
  EXPECT_EQ(profile.network.allow[2].place, (Place{kProfilePath, 15, 7}));
  EXPECT_TRUE(profile.network.unix_sockets.at(1).dangerous);
  EXPECT_FALSE(profile.network.mode.stated);
  EXPECT_EQ(profile.env.set.back().value, "hello ann");
  EXPECT_EQ(profile.env.secret.front().pattern, "ACME_CRM_TOKEN");
  EXPECT_EQ(profile.syscalls.set.value, SyscallSet::Strict);
  EXPECT_EQ(profile.user.value.kind, User::Kind::Named);
  EXPECT_EQ(profile.user.value.name, "1000:1000");
  EXPECT_EQ(profile.cwd.value, "/home/ann/.local/share/jail/state/acme-crm");
  EXPECT_EQ(profile.limits.memory.value, 512u << 20);
  EXPECT_EQ(profile.limits.cpu.value, 1.5);
  EXPECT_EQ(profile.limits.time_ms.value, 30'000u);
  EXPECT_EQ(profile.limits.grace_ms.value, 500u);
  EXPECT_EQ(profile.limits.cpu_time_ms.value, 20'000u);
  EXPECT_EQ(profile.limits.io.value, 20u << 20);
  EXPECT_EQ(profile.limits.memory.stated, (Place{kProfilePath, 29, 11}));
  EXPECT_EQ(profile.monitor.files.value, MonitorFiles::Changes);
  EXPECT_EQ(profile.monitor.hash.front().glob, "/srv/plugins/crm/**/*.py");
  EXPECT_EQ(profile.monitor.on_loss.value, OnLoss::Kill);
  EXPECT_EQ(profile.audit.durable.value, Durable::Each);
  EXPECT_EQ(profile.integrity->path, "/srv/plugins/crm");
  EXPECT_EQ(profile.best_effort.front().layer, "limits.cpu");
  EXPECT_EQ(profile.plugin, "/srv/plugins/crm");
}

TEST(Load, LeavesDefaultsUnstated) {
  const Profile profile = good("");
  EXPECT_TRUE(profile.filesystem.grants.empty());
  EXPECT_EQ(profile.limits.pids.value, 256u);
  EXPECT_FALSE(profile.limits.pids.stated);
  EXPECT_FALSE(profile.limits.memory.value);
  EXPECT_EQ(profile.user.value.kind, User::Kind::Keep);
  EXPECT_EQ(profile.state, "/home/ann/.local/share/jail/state/crm");
}

TEST(Load, TellsWhyTheFileCannotBeRead) {
  EXPECT_EQ(to_text(Desk().load().diagnostics), std::string(kProfilePath) + ": error: no such file\n");
}

TEST(Load, ListsSourcesWithTheirDigestsTheProfileFirst) {
  Desk desk;
  const Profile profile = good(desk, "extends: [python]\n");
  ASSERT_EQ(profile.sources.size(), 3u);
  EXPECT_EQ(profile.sources[0].path, kProfilePath);
  EXPECT_EQ(profile.sources[1].path, "<template>/base.yaml");
  EXPECT_EQ(profile.sources[2].path, "<template>/python.yaml");
  EXPECT_NE(profile.sources[1].sha256, profile.sources[2].sha256);
}

// --- merging ---

TEST(Extends, AppendsListsAndOverridesTheRest) {
  Desk desk;
  desk.files["/srv/profiles/team.yaml"] =
      "version: 1\nname: team\ndescription: of the team\nfilesystem: {read: [/srv/a], temporary: 1M}\n"
      "env: {allow: [A], set: {X: one, Y: two}}\nlimits: {pids: 10, files: 20}\ncwd: /srv/a\n";
  const Profile profile = good(desk,
                               "extends: [./team.yaml]\nfilesystem: {read: [/srv/b]}\n"
                               "env: {allow: [B], set: {X: three}}\nlimits: {pids: 30}\n");
  EXPECT_EQ(profile.name, "crm");
  EXPECT_EQ(profile.description, "");
  EXPECT_EQ(paths(profile, Access::Read), (Strings{"/srv/a", "/srv/b"}));
  EXPECT_EQ(profile.filesystem.temporary.value, 1u << 20);
  EXPECT_EQ(profile.filesystem.temporary.stated->file, "/srv/profiles/team.yaml");
  EXPECT_EQ(profile.env.allow.size(), 2u);
  ASSERT_EQ(profile.env.set.size(), 2u);
  EXPECT_EQ(profile.env.set[0].value, "three");
  EXPECT_EQ(profile.env.set[0].place.file, kProfilePath);
  EXPECT_EQ(profile.limits.pids.value, 30u);
  EXPECT_EQ(profile.limits.files.value, 20u);
  EXPECT_EQ(profile.cwd.value, "/srv/a");
}

TEST(Extends, ReadsWhatTwoShareOnceAndBeforeBoth) {
  Desk desk;
  const Profile profile = good(desk, "extends: [python, node]\n");
  ASSERT_EQ(profile.sources.size(), 4u);
  EXPECT_EQ(profile.sources[1].path, "<template>/base.yaml");
  int libraries = 0;
  for (const Grant& grant : profile.filesystem.grants) libraries += grant.path == "/usr/local/lib" ? 1 : 0;
  EXPECT_EQ(libraries, 1);
}

TEST(Extends, KeepsTheProfilesOwnLineOfAGrantMadeTwice) {
  Desk desk;
  const Profile profile = good(desk, "extends: [base]\nfilesystem: {read: [/etc/hosts]}\n");
  for (const Grant& grant : profile.filesystem.grants)
    if (grant.path == "/etc/hosts") {
      EXPECT_EQ(grant.place, (Place{kProfilePath, 4, 21}));
      EXPECT_FALSE(grant.optional);
    }
}

TEST(Extends, FindsTemplatesBuiltInFirst) {
  Desk desk;
  desk.templates = {{"python", "/etc/jail/profiles/python.yaml"}, {"team", "/etc/jail/profiles/team.yaml"}};
  desk.files["/etc/jail/profiles/team.yaml"] = "version: 1\nfilesystem: {read: [./x]}\n";
  const Profile profile = good(desk, "extends: [python, team]\n");
  EXPECT_EQ(profile.sources.back().path, "/etc/jail/profiles/team.yaml");
  EXPECT_EQ(profile.sources[2].path, "<template>/python.yaml");
  EXPECT_EQ(paths(profile, Access::Read).back(), "/etc/jail/profiles/x");
}

std::string chain_of(Desk& desk, int length) {
  for (int i = 1; i <= length; ++i) {
    const std::string next = i < length ? "extends: [./" + std::to_string(i + 1) + ".yaml]\n" : "";
    desk.files["/srv/profiles/" + std::to_string(i) + ".yaml"] = "version: 1\n" + next;
  }
  return to_text(desk.load(minimal("extends: [./1.yaml]\n")).diagnostics);
}

TEST(Extends, EndsTenLevelsDeep) {
  Desk ten;
  EXPECT_EQ(chain_of(ten, 10), "");
  Desk eleven;
  EXPECT_EQ(chain_of(eleven, 11), "/srv/profiles/10.yaml:2:11: error: 'extends' is more than 10 levels deep\n");
}

TEST(Extends, NamesTheChainOfACircle) {
  Desk desk;
  desk.files["/srv/profiles/a.yaml"] = "version: 1\nextends: [./b.yaml]\n";
  desk.files["/srv/profiles/b.yaml"] = "version: 1\nextends: [./a.yaml]\n";
  EXPECT_EQ(to_text(desk.load(minimal("extends: [./a.yaml]\n")).diagnostics),
            "/srv/profiles/b.yaml:2:11: error: 'extends' goes round in a circle: '/srv/profiles/a.yaml' extends "
            "'/srv/profiles/b.yaml' extends '/srv/profiles/a.yaml'\n");
  EXPECT_EQ(to_text(desk.load(minimal("extends: [./crm.yaml]\n")).diagnostics),
            "/srv/profiles/crm.yaml:3:11: error: 'extends' goes round in a circle: '/srv/profiles/crm.yaml' extends "
            "'/srv/profiles/crm.yaml'\n");
}

TEST(Extends, BoundsTheNumberOfFiles) {
  Desk desk;
  std::string list;
  for (int i = 0; i < 64; ++i) {
    desk.files["/srv/profiles/" + std::to_string(i) + ".yaml"] = "version: 1\n";
    list += "./" + std::to_string(i) + ".yaml, ";
  }
  const std::string said = to_text(desk.load(minimal("extends: [" + list + "]\n")).diagnostics);
  EXPECT_NE(said.find("'extends' leads to more than 64 files"), std::string::npos) << said;
}

TEST(Extends, TellsFaultsOfEveryFileTheProfilesOwnFirst) {
  Desk desk;
  desk.files["/srv/profiles/a.yaml"] = "version: 1\nzzz: 1\n";
  const std::string said = to_text(desk.load(minimal("extends: [./a.yaml]\nyyy: 1\n")).diagnostics);
  EXPECT_LT(said.find("crm.yaml:4:1: error: unknown key 'yyy'"), said.find("a.yaml:2:1: error: unknown key 'zzz'"));
}

TEST(Extends, NeverLooksUpAPath) {
  Desk desk;
  desk.files["/etc/passwd"] = "root:x:0:0\n";
  for (const char* name : {"/etc/passwd", "../../etc/passwd", "./../etc/passwd", "a/b", "~/x", "${home}"})
    EXPECT_TRUE(has_errors(desk.load(minimal("extends: [\"" + std::string(name) + "\"]\n")).diagnostics)) << name;
}

// --- variables ---

std::string expanded(Desk& desk, const std::string& path) {
  const Loaded loaded = desk.load(minimal("filesystem:\n  read: [\"" + path + "\"]\n"));
  if (has_errors(loaded.diagnostics)) return loaded.diagnostics.front().message;
  return loaded.profile.filesystem.grants.front().path;
}

std::string expanded(const std::string& path) {
  Desk desk;
  desk.set = {{"plugin", "/srv/plugins/crm"}, {"relative", "plugins"}, {"odd", "/a*?[${home}\\\\~"}, {"empty", ""}};
  std::erase_if(desk.set, [&](const auto& entry) { return path.find("${" + entry.first) == std::string::npos; });
  desk.environment = {{"DATA", "/data"}, {"UP", "/data/.."}};
  return expanded(desk, path);
}

TEST(Variables, StandForTheirValues) {
  EXPECT_EQ(expanded("${plugin}/lib"), "/srv/plugins/crm/lib");
  EXPECT_EQ(expanded("${home}/x"), "/home/ann/x");
  EXPECT_EQ(expanded("~/x"), "/home/ann/x");
  EXPECT_EQ(expanded("~"), "/home/ann");
  EXPECT_EQ(expanded("/home/${user}/y"), "/home/ann/y");
  EXPECT_EQ(expanded("${profile_dir}/y"), "/srv/profiles/y");
  EXPECT_EQ(expanded("${state}/y"), "/home/ann/.local/share/jail/state/crm/y");
  EXPECT_EQ(expanded("${env:DATA}/y"), "/data/y");
  EXPECT_EQ(expanded("/srv/$${plugin}"), "/srv/${plugin}");
  EXPECT_EQ(expanded("/srv/$$${plugin}"), "/srv/$${plugin}");
  EXPECT_EQ(expanded("/srv/$plugin$"), "/srv/$plugin$");
  EXPECT_EQ(expanded("/srv/a~b"), "/srv/a~b");
}

TEST(Variables, BringNothingButTheirValue) {
  EXPECT_EQ(expanded("${odd}"), "/a*?[${home}\\\\~");
  Desk desk;
  desk.set = {{"odd", "/a*[b]?\\"}};
  const Profile profile = good(desk, "monitor: {hash: [\"${odd}/*.py\"]}\n");
  EXPECT_EQ(profile.monitor.hash.front().glob, "/a\\*\\[b\\]\\?\\\\/*.py");
}

TEST(Variables, AreRefusedWhereTheyWouldMoveAPath) {
  EXPECT_EQ(expanded("${relative}/x"), "the value in '${relative}/x' is no absolute path");
  EXPECT_EQ(expanded(""), "the path is empty");
  EXPECT_EQ(expanded("${empty}/etc"), "a variable with an empty value in a path");
  EXPECT_EQ(expanded("/srv/${empty}"), "a variable with an empty value in a path");
  EXPECT_EQ(expanded("${env:UP}/x"), "'..' in '${env:UP}/x'");
}

TEST(Variables, HaveDefaultsThatSetAndTheProfileOverride) {
  Desk desk;
  desk.files["/srv/profiles/team.yaml"] =
      "version: 1\nvariables: {data: /team, deep: \"${data}/deep\", here: \"${profile_dir}\"}\n";
  const char* text =
      "extends: [./team.yaml]\nvariables: {data: /own}\n"
      "filesystem: {read: [\"${data}\", \"${deep}\", \"${here}\"]}\n";
  EXPECT_EQ(paths(good(desk, text), Access::Read), (Strings{"/own", "/own/deep", "/srv/profiles"}));
  desk.set = {{"data", "/given"}};
  EXPECT_EQ(paths(good(desk, text), Access::Read), (Strings{"/given", "/given/deep", "/srv/profiles"}));
}

TEST(Variables, OfTheEnvironmentDoNotShowTheirValues) {
  Desk desk;
  desk.environment = {{"S", "../hunter2"}, {"R", "hunter2"}, {"U", "https://hunter2@h/"}};
  const std::string said = to_text(
      desk.load(minimal("variables: {v: \"${env:S}\"}\n"
                        "filesystem: {read: [\"${env:S}\", \"${env:R}\", \"/a/${env:S}\", \"${v}\"]}\n"
                        "network: {allow: [\"${env:U}\", \"tcp://${env:S}:80\"]}\nmonitor: {hash: [\"${env:S}/x\"]}\n"))
          .diagnostics);
  EXPECT_EQ(said.find("hunter2"), std::string::npos) << said;
  EXPECT_GE(std::ranges::count(said, '\n'), 7) << said;
}

TEST(Variables, WithDefaultsThatMultiplyEndSoon) {
  Desk desk;
  std::string text = "variables:\n  z: x\n";
  for (char c = 'a'; c < 'k'; ++c) {
    text += std::string("  ") + c + ": \"";
    for (int i = 0; i < 900; ++i) text += std::string("${") + (c == 'j' ? 'z' : static_cast<char>(c + 1)) + "}";
    text += "\"\n";
  }
  const Loaded loaded = desk.load(minimal(text + "filesystem: {read: [\"/${a}\"]}\n"));
  EXPECT_TRUE(has_errors(loaded.diagnostics));
}

TEST(Variables, GivenBySetCannotReplaceWhatIsBuiltIn) {
  Desk desk;
  desk.set = {{"home", "/root"}, {"No Name", "x"}};
  EXPECT_EQ(to_text(desk.load(minimal("")).diagnostics),
            "--set: error: 'No Name' is no variable's name\n--set: error: 'home' is built in\n");
}

TEST(Variables, GivenBySetAreThoseThatSomeLineKnows) {
  Desk desk;
  desk.set = {{"dta", "/x"}, {"plugin", "/srv/plugin"}};
  EXPECT_EQ(to_text(desk.load(minimal("variables: {data: /srv}\n")).diagnostics),
            "--set: error: no line of the profile uses 'dta'\n  hint: did you mean 'data'?\n");
  desk.set = {{"data", "/x"}};
  EXPECT_EQ(to_text(desk.load(minimal("variables: {data: /srv}\n")).diagnostics), "") << "declared is enough";
}

TEST(Variables, OfEndpointsMayBePartOfThem) {
  Desk desk;
  desk.set = {{"host", "db.example"}};
  const Profile profile = good(desk, "network: {allow: [\"tcp://${host}:5432\"]}\n");
  EXPECT_EQ(to_string(profile.network.allow.front()), "tcp://db.example:5432");
}

TEST(Paths, AreAbsoluteAndNormal) {
  EXPECT_EQ(expanded("lib"), "/srv/profiles/lib");
  EXPECT_EQ(expanded("./lib/./x//y/"), "/srv/profiles/lib/x/y");
  EXPECT_EQ(expanded("//"), "/");
  EXPECT_EQ(expanded("/a/...x/.y"), "/a/...x/.y");
  EXPECT_EQ(expanded("/a\\\\*b\\\\\\\\c\\\\xff"), "/a*b\\c\xff");
  EXPECT_EQ(expanded("/" + std::string(5000, 'x')), "a path longer than 4095 bytes");
}

TEST(Paths, OfABuiltInTemplateAreAllOptional) {
  for (const char* name : {"base", "python", "node", "shell"}) {
    const Profile profile = good("extends: [" + std::string(name) + "]\n");
    EXPECT_FALSE(profile.filesystem.grants.empty());
    for (const Grant& grant : profile.filesystem.grants) {
      EXPECT_TRUE(grant.optional) << grant.path;
      EXPECT_NE(grant.access, Access::Write) << grant.path;
    }
  }
}

// Each one is a mount, and each mount some ten microseconds of every start.
TEST(Paths, OfTheTemplatesStayFew) {
  EXPECT_LE(good("extends: [python]\n").filesystem.grants.size(), 20u);
  EXPECT_TRUE(paths(good("extends: [base]\n"), Access::Exec).empty());
  EXPECT_EQ(paths(good("extends: [shell]\n"), Access::Exec), (Strings{"/bin", "/usr/bin"}));
}

}  // namespace
}  // namespace jail::profile
