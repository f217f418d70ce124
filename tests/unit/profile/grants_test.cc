// What may be granted at all.
#include <gtest/gtest.h>

#include "profile/dangers.h"
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

TEST(Grants, OfOrdinaryFoldersNeedNoWord) {
  EXPECT_EQ(verdict(reading("/srv/data")), "");
  EXPECT_EQ(verdict(writing("/srv/data")), "");
  EXPECT_EQ(verdict(reading("/tmp/job-1")), "");
  EXPECT_EQ(verdict(reading("/var/lib/crm")), "");
  EXPECT_EQ(verdict(writing("~/projects/out")), "");
  EXPECT_EQ(verdict(reading("/run/crm")), "");
}

TEST(Grants, OfMissingPathsAreErrorsUnlessOptional) {
  Trial trial;
  trial.missing = {"/srv/gone", "/srv/there"};
  EXPECT_EQ(trial.said("filesystem:\n  read: [/srv/gone, {path: /srv/there, optional: true}]\n"),
            "/srv/profiles/crm.yaml:4:10: error: '/srv/gone': no such file or folder\n"
            "  hint: create it, or write {path: ..., optional: true} if the plugin can do without\n");
}

TEST(Grants, OfTheStateFolderMayComeBeforeItExists) {
  Trial trial;
  trial.missing = {"/home/ann/.local/share/jail/state/crm", "/home/ann/.local/share/jail/state/crm/out",
                   "/home/ann/.local/share/jail/state/other"};
  EXPECT_EQ(trial.said("filesystem: {write: [\"${state}\", \"${state}/out\"]}\ncwd: \"${state}\"\n"), "");
  EXPECT_TRUE(is_error(trial.said(reading("${state}/out"))));
  EXPECT_TRUE(is_error(trial.said(writing("~/.local/share/jail/state/other"))));
}

TEST(Grants, ThatMayNotBeResolvedNameTheLink) {
  Trial trial;
  trial.machine.folder("/srv/plugin/data");
  trial.machine.facts().paths["/srv/plugin/data"].refused =
      "the link /srv/plugin/data leads out of a folder that a plugin may write";
  EXPECT_NE(trial.said(reading("/srv/plugin/data")).find("error: '/srv/plugin/data': the link /srv/plugin/data leads"),
            std::string::npos);
}

TEST(Grants, OfTheWholeSystemAreNeverAllowed) {
  for (const char* access : {"read", "write", "exec", "libraries"}) {
    EXPECT_TRUE(is_error(verdict(test::granting_text(access, "/")))) << access;
    EXPECT_TRUE(is_error(verdict(overridden(access, "/")))) << access;
  }
}

TEST(Grants, OfEverybodysDoorsNeedTheirOverride) {
  for (const char* path :
       {"/home", "/root", "/run", "/var/run", "/run/user", "/run/user/1000", "/var", "/tmp", "/var/tmp", "/proc",
        "/proc/self", "/proc/sys/kernel", "/sys", "/sys/fs/cgroup", "/dev", "/dev/nvidia0", "/home/ann"}) {
    EXPECT_TRUE(is_error(verdict(reading(path)))) << path;
    EXPECT_FALSE(is_error(verdict(overridden("read", path)))) << path;
    EXPECT_NE(verdict(reading(path)).find("dangerous: true"), std::string::npos) << path;
  }
}

TEST(Grants, OfTheSessionsRuntimeFolderNeedTheirOverrideWhereverItIs) {
  Trial trial;
  trial.machine.facts().runtime = "/srv/runtime";
  EXPECT_TRUE(is_error(trial.said(reading("/srv/runtime"))));
  EXPECT_FALSE(is_error(trial.said(overridden("read", "/srv/runtime"))));
}

TEST(Grants, AreJudgedByWhereTheyLead) {
  Trial trial;
  trial.machine.folder("/proc").led("/srv/innocent", "/proc", {{"/srv/innocent", "/proc"}});
  EXPECT_TRUE(is_error(trial.said(reading("/srv/innocent"))));
}

// A bind mount gives the home another name; what the files are does not change.
TEST(Grants, OfTheHomeUnderAnotherNameAreFound) {
  Trial trial;
  trial.machine.folder("/home/ann").alias("/srv/homes/ann", "/home/ann");
  EXPECT_TRUE(is_error(trial.said(reading("/srv/homes/ann"))));
  Trial without;
  without.machine.folder("/home/ann");
  EXPECT_EQ(without.said(reading("/srv/homes/ann")), "");
}

TEST(Grants, AboveAHomeThatIsElsewhereAreFound) {
  Trial trial;
  trial.machine.facts().home = "/srv/homes/ann";
  EXPECT_TRUE(is_error(trial.said(reading("/srv/homes"))));
  EXPECT_EQ(trial.said(reading("/srv/other")), "");
}

TEST(Sockets, OfEnginesBusesAndAgentsNeedTheirOverride) {
  for (const char* path :
       {"/run/docker.sock", "/var/run/docker.sock", "/run/podman/podman.sock", "/run/containerd/containerd.sock",
        "/run/user/1000/docker.sock", "/run/user/1000/podman/podman.sock", "/var/lib/lxd/unix.socket",
        "/run/libvirt/libvirt-sock", "/run/dbus/system_bus_socket", "/run/user/1000/bus", "/run/systemd/private",
        "/run/user/1000/systemd/private", "/tmp/ssh-AbC/agent.123", "/run/user/1000/gnupg/S.gpg-agent",
        "/run/user/1000/keyring/ssh", "/tmp/.X11-unix/X0", "/run/user/1000/wayland-0", "/tmp/tmux-1000/default",
        "/run/nscd/socket"}) {
    const std::string plain = "network: {unix: [\"" + std::string(path) + "\"]}\n";
    const std::string named = "network: {unix: [{path: \"" + std::string(path) + "\", dangerous: true}]}\n";
    EXPECT_TRUE(is_error(verdict(plain))) << path;
    EXPECT_EQ(verdict(named), "") << path;
  }
  EXPECT_EQ(verdict("network: {unix: [/run/postgresql/.s.PGSQL.5432]}\n"), "");
}

TEST(Sockets, OfJailsBrokerAreNeverGranted) {
  EXPECT_TRUE(is_error(verdict("network: {unix: [{path: /run/jail/broker, dangerous: true}]}\n")));
  EXPECT_TRUE(is_error(verdict(overridden("read", "/run/jail"))));
}

TEST(Sockets, AreNoFilesAndFilesAreNoSockets) {
  Trial trial;
  trial.machine.file("/srv/s").folder("/srv/f");
  trial.machine.facts().paths["/srv/s"].kind = PathKind::Socket;
  EXPECT_NE(trial.said(reading("/srv/s")).find("list it under network.unix"), std::string::npos);
  EXPECT_NE(trial.said("network: {unix: [/srv/f]}\n").find("'/srv/f' is no socket"), std::string::npos);
  trial.missing = {"/srv/none"};
  EXPECT_NE(trial.said("network: {unix: [/srv/none]}\n").find("'/srv/none': no such socket"), std::string::npos);
  const std::string beside = "filesystem: {write: [/srv]}\nnetwork: {unix: [/srv/s]}\n";
  EXPECT_NE(trial.said(beside).find("'/srv/s' lies in '/srv', which the plugin may write"), std::string::npos);
  EXPECT_EQ(trial.said("network: {unix: [/srv/s]}\n"), "");
  for (const std::string call : {"socket", "socketpair"}) {
    const std::string opened = "syscalls: {allow: [" + call + "]}\n";
    EXPECT_NE(trial.said("network: {unix: [/srv/s]}\n" + opened).find("'" + call + "' beside network.unix"),
              std::string::npos);
    EXPECT_EQ(trial.said(opened), "");
  }
}

TEST(Sockets, InFoldersThatHoldThemAreFound) {
  for (const char* path : {"/run/dbus", "/var/run/dbus", "/run/podman", "/run/user/1000/keyring", "/tmp/.X11-unix"}) {
    EXPECT_TRUE(is_error(verdict(reading(path)))) << path;
    EXPECT_FALSE(is_error(verdict(overridden("read", path)))) << path;
  }
}

TEST(Secrets, ThatAGrantReachesAreToldUnlessHidden) {
  EXPECT_TRUE(is_warning(verdict(reading("~/.ssh"))));
  EXPECT_TRUE(is_warning(verdict(reading("~/.ssh/known_hosts"))));
  EXPECT_TRUE(is_warning(verdict(reading("~/.config"))));
  EXPECT_FALSE(is_warning(verdict(reading("~/.cache/crm"))));
  EXPECT_EQ(verdict("filesystem: {read: [~/.config], hide: [\"preset:home-secrets\"]}\n"), "");
}

Trial in_group(const char* name) {
  Trial trial;
  trial.machine.facts().groups = {27, 999};
  trial.machine.facts().group_names = {{27, "sudo"}, {999, name}};
  trial.machine.file("/srv/node");
  PathFact& node = trial.machine.facts().paths["/srv/node"];
  node.group = 999;
  node.mode = 0660;
  return trial;
}

TEST(Groups, ThatCannotBeGivenUpAreTold) {
  EXPECT_TRUE(is_error(in_group("docker").said(reading("/srv/node"))));
  EXPECT_TRUE(is_warning(in_group("video").said(reading("/srv/node"))));
  EXPECT_FALSE(is_error(in_group("video").said(reading("/srv/node"))));
  EXPECT_FALSE(is_error(in_group("docker").said(overridden("read", "/srv/node"))));
  EXPECT_NE(in_group("docker").said("").find("warning: the plugin keeps group 'docker'"), std::string::npos);
  EXPECT_EQ(in_group("video").said(""), "");
}

TEST(Groups, OfRootAreClearedAndSayNothing) {
  Trial trial = in_group("docker");
  trial.machine.facts().uid = 0;
  EXPECT_EQ(trial.said(reading("/srv/node")), "");
}

TEST(Groups, CountOnlyWhereNothingElseOpensTheFile) {
  Trial open_to_all = in_group("docker");
  open_to_all.machine.facts().paths["/srv/node"].mode = 0664;
  EXPECT_FALSE(is_error(open_to_all.said(reading("/srv/node"))));
  Trial owned = in_group("docker");
  owned.machine.facts().paths["/srv/node"].owner = 1000;
  EXPECT_FALSE(is_error(owned.said(reading("/srv/node"))));
}

}  // namespace
}  // namespace jail::profile
