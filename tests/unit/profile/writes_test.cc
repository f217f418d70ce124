// What a plugin may not change, because somebody outside trusts it.
#include <gtest/gtest.h>

#include <algorithm>

#include "profile/host_executed.h"
#include "verdict.h"

namespace jail::profile {
namespace {

using test::is_error;
using test::is_warning;
using test::overridden;
using test::reading;
using test::Trial;
using test::verdict;
using test::writing;

Standing standing(Access access, const std::string& path) {
  Facts facts;
  facts.home = "/home/ann";
  facts.search_path = {"/opt/tools"};
  facts.protected_places = {{.what = "jail's log", .path = "/var/log/jail", .chain = {}, .missing = true}};
  return standing_of({.access = access, .path = path, .optional = false, .place = {}}, facts);
}

// What the rules would say of a grant that a hint names.
TEST(StandingOfOneGrant, IsWhatTheRulesSay) {
  EXPECT_EQ(standing(Access::Write, "/srv/data"), Standing::Granted);
  EXPECT_EQ(standing(Access::Read, "/etc/hosts"), Standing::Granted);
  for (const char* path : {"/etc/hosts", "/home/ann/.bashrc", "/opt/tools/x", "/srv/x/.git/config", "/proc/1"})
    EXPECT_EQ(standing(Access::Write, path), Standing::Dangerous) << path;
  EXPECT_EQ(standing(Access::Read, "/home/ann"), Standing::Dangerous);
  EXPECT_EQ(standing(Access::Read, "/run/docker.sock"), Standing::Dangerous);
  for (const char* path : {"/", "/var/log/jail/x"}) EXPECT_EQ(standing(Access::Write, path), Standing::Refused) << path;
}

// SECURITY C9. Each place itself, something in it and, for those with a folder of their own, the folder around it.
TEST(HostExecuted, PlacesAreErrorsUnderWrite) {
  for (const char* path : {"/srv/app/.git",
                           "/srv/app/.git/hooks",
                           "/srv/app/.git/config",
                           "/srv/app/.envrc",
                           "/srv/app/.direnv",
                           "/srv/app/__pycache__",
                           "/srv/app/node_modules",
                           "/srv/app/node_modules/.bin",
                           "/srv/app/venv/bin",
                           "/srv/app/.venv",
                           "/srv/app/lib/python3/site-packages",
                           "/srv/app/.husky",
                           "/srv/app/.vscode",
                           "~/.bashrc",
                           "~/.bash_profile",
                           "~/.profile",
                           "~/.zshrc",
                           "~/.zshenv",
                           "~/.config/systemd",
                           "~/.config/systemd/user",
                           "~/.config/autostart",
                           "~/.config/fish",
                           "~/.config/fish/conf.d",
                           "~/.config",

                           "~/.local/bin",
                           "~/.local/lib",
                           "~/.local/lib/python3.11",
                           "~/.local/share/applications",
                           "~/.ssh",
                           "~/.ssh/authorized_keys",
                           "~/.gitconfig",
                           "~/.config/git",
                           "~/.vimrc",
                           "~/.npmrc",
                           "~/.cargo",
                           "~/bin",
                           "/etc",
                           "/etc/cron.d",
                           "/etc/profile.d",
                           "/usr",
                           "/usr/local/bin",
                           "/usr/lib",
                           "/bin",
                           "/lib64",
                           "/boot",
                           "/var/spool/cron",
                           "/home/ann/tools",
                           "/home/ann/tools/sub"}) {
    EXPECT_TRUE(is_error(verdict(writing(path)))) << path;
    EXPECT_FALSE(is_error(verdict(overridden("write", path)))) << path;
    EXPECT_FALSE(is_error(verdict(reading(path)))) << path;
  }
}

TEST(HostExecuted, PlacesAreFoundBelowAGrantOfTheHomesFolders) {
  EXPECT_NE(verdict(writing("~/.local")).find("the host runs what stands in '/home/ann/.local/"), std::string::npos);
  EXPECT_NE(verdict(writing("~/.config")).find("the host runs what stands in '/home/ann/.config/"), std::string::npos);
}

TEST(HostExecuted, TableHasItsPlacesUnderOneName) {
  EXPECT_GE(executed_at_home().size() + executed_by_system().size() + executed_by_name().size(), 25u);
  EXPECT_EQ(executed_place("/home/ann/.config/systemd/user/x.service", "/home/ann"), "/home/ann/.config/systemd");
  EXPECT_EQ(executed_place("/srv/x/.git/hooks", "/home/ann"), ".git");
  EXPECT_EQ(executed_place("/srv/x.git/y", "/home/ann"), std::nullopt);
  EXPECT_EQ(executed_place("/srv/venv2", "/home/ann"), std::nullopt);
  EXPECT_EQ(executed_place("/home/ann/.bashrc.d", "/home/ann"), std::nullopt);
  EXPECT_EQ(executed_place("/usrlocal", "/home/ann"), std::nullopt);
}

TEST(HostExecuted, PlacesAreFoundInsideAGrantToo) {
  for (const char* name : {".git", ".envrc", "venv", ".venv", "node_modules"}) {
    Trial trial;
    trial.machine.folder("/srv/project/" + std::string(name));
    const std::string said = trial.said(writing("/srv/project"));
    EXPECT_TRUE(is_error(said)) << name;
    EXPECT_NE(said.find("if it made that, remove it"), std::string::npos) << said;
    EXPECT_FALSE(is_error(trial.said(overridden("write", "/srv/project")))) << name;
  }
}

bool asks_for(const std::string& text, const std::string& path) {
  test::Desk desk;
  const std::vector<std::string> paths = paths_of_interest(desk.load(test::minimal(text)).profile);
  return std::find(paths.begin(), paths.end(), path) != paths.end();
}

TEST(HostExecuted, PlacesAreAskedOfTheMachine) {
  EXPECT_TRUE(asks_for(writing("/srv/project"), "/srv/project/.git"));
  EXPECT_FALSE(asks_for(reading("/srv/project"), "/srv/project/.git"));
}

TEST(HostExecuted, PlacesAreFoundBehindLinks) {
  Trial trial;
  trial.machine.folder("/home/ann/.config/systemd").led("/srv/out", "/home/ann/.config/systemd", {});
  EXPECT_TRUE(is_error(trial.said(writing("/srv/out"))));
}

TEST(SearchPath, IsFoundByWhatTheFoldersAre) {
  Trial trial;
  trial.machine.folder("/home/ann/tools").alias("/srv/out", "/home/ann/tools");
  EXPECT_TRUE(is_error(trial.said(writing("/srv/out"))));
}

ProtectedPlace place(Trial& trial, const std::string& what, const std::string& path) {
  trial.machine.folder(path);
  return {what, path, trial.machine.facts().paths[path].chain, false};
}

// SECURITY C10.
TEST(Protected, PlacesMayNotBeReachedByAnyWriteGrant) {
  Trial trial;
  trial.machine.facts().protected_places = {place(trial, "the audit log folder", "/home/ann/logs/jail/log")};
  for (const char* path :
       {"/home/ann/logs", "/home/ann/logs/jail", "/home/ann/logs/jail/log", "/home/ann/logs/jail/log/x"}) {
    EXPECT_NE(trial.said(writing(path)).find("reaches the audit log folder"), std::string::npos) << path;
    EXPECT_TRUE(is_error(trial.said(overridden("write", path)))) << path;
    EXPECT_EQ(trial.said(reading(path)), "") << path;
  }
  EXPECT_EQ(trial.said(writing("/home/ann/logs/other")), "");
}

TEST(Protected, PlacesAreFoundUnderAnotherName) {
  Trial trial;
  trial.machine.facts().protected_places = {place(trial, "the profile", "/home/ann/p/crm.yaml")};
  trial.machine.alias("/srv/alias", "/home/ann/p");
  EXPECT_TRUE(is_error(trial.said(overridden("write", "/srv/alias"))));
  Trial inside;
  inside.machine.facts().protected_places = {place(inside, "the state folder", "/home/ann/s")};
  inside.machine.folder("/srv/alias/sub");
  inside.machine.facts().paths["/srv/alias/sub"].chain.push_back(inside.machine.identity("/home/ann/s"));
  EXPECT_TRUE(is_error(inside.said(overridden("write", "/srv/alias/sub"))));
}

// A missing place's chain begins with a folder it shares with others.
TEST(Protected, PlacesThatDoNotExistYetAreHeldByTheirFolder) {
  Trial trial;
  trial.machine.folder("/home/ann/x");
  ProtectedPlace log{"the audit log folder", "/home/ann/x/jail", trial.machine.facts().paths["/home/ann/x"].chain,
                     true};
  trial.machine.facts().protected_places = {log};
  EXPECT_EQ(trial.said(writing("/home/ann/x/other")), "");
  EXPECT_TRUE(is_error(trial.said(writing("/home/ann/x"))));
  EXPECT_TRUE(is_error(trial.said(writing("/home/ann/x/jail"))));
  Trial alias;
  alias.machine.folder("/home/ann/x").alias("/srv/alias", "/home/ann/x");
  log.chain = alias.machine.facts().paths["/home/ann/x"].chain;
  alias.machine.facts().protected_places = {log};
  EXPECT_TRUE(is_error(alias.said(writing("/srv/alias"))));
}

TEST(State, OfOtherPluginsIsNotWritten) {
  const std::string data = "/home/ann/.local/share/jail";
  for (const std::string& path :
       {data, data + "/state", data + "/state/other", data + "/state/crm2", std::string("/home/ann/.local/share")})
    EXPECT_NE(verdict(writing(path)).find("reaches other plugins' state"), std::string::npos) << path;
  EXPECT_EQ(verdict(writing("${state}")), "");
  EXPECT_EQ(verdict(writing("${state}/out")), "");
  EXPECT_EQ(verdict(writing("~/.local/share/crm")), "");
  EXPECT_EQ(verdict(reading(data + "/state/other")), "");
  Trial alias;
  alias.machine.folder(data + "/state/crm").alias("/srv/alias", data + "/state");
  EXPECT_TRUE(is_error(alias.said(writing("/srv/alias"))));
}

TEST(Code, OfThisProfileIsNotWritten) {
  const std::string said =
      verdict("filesystem:\n  exec: [/opt/crm/bin]\n  libraries: [/opt/lib]\n  write: [/opt/crm]\n");
  EXPECT_NE(said.find("crm.yaml:6:11: error: write of '/opt/crm' covers '/opt/crm/bin', run as code in "
                      "/srv/profiles/crm.yaml:4:10"),
            std::string::npos)
      << said;
  EXPECT_TRUE(is_error(verdict("filesystem: {libraries: [/opt/lib], write: [{path: /opt/lib, dangerous: true}]}\n")));
  EXPECT_FALSE(is_error(verdict("filesystem: {libraries: [/opt/lib], write: [/opt/lib/data]}\n")));
}

TEST(Code, ThatStartsAGrantedProgramIsNotWritten) {
  Trial trial;
  trial.machine.program("/opt/run.py", {"/srv/out/python"}).program("/srv/out/python");
  EXPECT_NE(trial.said("filesystem: {exec: [/opt/run.py], write: [/srv/out]}\n").find("covers '/srv/out/python'"),
            std::string::npos);
  EXPECT_FALSE(is_error(trial.said("filesystem: {exec: [/opt/run.py], write: [/srv/elsewhere]}\n")));
}

TEST(Code, OfThePluginIsNotWritten) {
  Trial trial;
  trial.desk.set = {{"plugin", "/srv/plugins/crm"}};
  EXPECT_TRUE(is_error(trial.said(writing("${plugin}"))));
  EXPECT_TRUE(is_error(trial.said(overridden("write", "/srv/plugins"))));
  EXPECT_EQ(trial.said(writing("${plugin}/data")), "");
}

TEST(Digests, CoverNothingThePluginWrites) {
  EXPECT_TRUE(is_error(verdict("filesystem: {write: [/srv/p]}\nmonitor: {hash: [\"/srv/p/**/*.py\"]}\n")));
  EXPECT_TRUE(is_error(verdict("filesystem: {write: [/srv/p]}\nmonitor: {hash: [/srv/p/sub/main.py]}\n")));
  const std::string grants = "filesystem: {read: [/srv/p], write: [/srv/p/data]}\n";
  EXPECT_TRUE(is_warning(verdict(grants + "monitor: {hash: [\"/srv/p/**/*.py\"]}\n")));
  EXPECT_TRUE(is_warning(verdict(grants + "monitor: {hash: [\"/srv/p/d*/x.py\"]}\n")));
  EXPECT_EQ(verdict(grants + "monitor: {hash: [\"/srv/p/*.py\"]}\n"), "");
  EXPECT_EQ(verdict(grants + "monitor: {hash: [\"/srv/p/lib/**\"]}\n"), "");
  EXPECT_TRUE(is_error(verdict(grants + "monitor: {hash: [\"/srv/p/data/*.py\"]}\n")));
  const std::string digest(64, 'a');
  const std::string integrity = "integrity: {path: /srv/p, sha256: " + digest + "}\n";
  EXPECT_TRUE(is_error(verdict("filesystem: {read: [/srv/p], write: [/srv/p/data]}\n" + integrity)));
  EXPECT_TRUE(is_error(verdict("filesystem: {write: [/srv]}\n" + integrity)));
  EXPECT_EQ(verdict("filesystem: {read: [/srv/p], write: [/srv/q]}\n" + integrity), "");
}

}  // namespace
}  // namespace jail::profile
