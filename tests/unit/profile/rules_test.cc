// Contradictions, weakenings and what else a profile's author should hear before a plugin does.
#include <gtest/gtest.h>

#include "profile/environment.h"
#include "verdict.h"

namespace jail::profile {
namespace {

using test::is_error;
using test::is_warning;
using test::Trial;
using test::verdict;

// --- hide ---

TEST(Hide, CoversWhatIsGranted) { EXPECT_EQ(verdict("filesystem: {read: [/srv], hide: [/srv/keys]}\n"), ""); }

TEST(Hide, OfWhatIsNotGrantedIsNeedless) {
  EXPECT_NE(verdict("filesystem: {hide: [/srv/keys]}\n").find("warning: '/srv/keys' is not granted anyway"),
            std::string::npos);
  EXPECT_EQ(verdict("filesystem: {hide: [{path: /srv/keys, optional: true}, \"preset:home-secrets\"]}\n"), "");
}

TEST(Hide, OfAGrantItselfIsAContradictionUnlessATemplateMadeIt) {
  EXPECT_TRUE(is_error(verdict("filesystem: {read: [/srv/a], hide: [/srv/a]}\n")));
  const std::string said = verdict("extends: [base]\nfilesystem: {hide: [/etc/hosts]}\n");
  EXPECT_FALSE(is_error(said));
  EXPECT_NE(said.find("hide wins"), std::string::npos);
}

TEST(Hide, LetsNothingShineThrough) {
  const std::string said = verdict("filesystem:\n  read: [/srv, /srv/keys/public]\n  hide: [/srv/keys]\n");
  EXPECT_NE(said.find("crm.yaml:4:16: error: '/srv/keys/public' lies in '/srv/keys', hidden in "
                      "/srv/profiles/crm.yaml:5:10"),
            std::string::npos)
      << said;
}

// DECISIONS 8: a missing path has nothing to put a mask on.
TEST(Hide, OfAMissingPathUnderAWriteGrantIsRefused) {
  Trial trial;
  trial.missing = {"/srv/data/keys"};
  EXPECT_NE(trial.said("filesystem: {write: [/srv/data], hide: [/srv/data/keys]}\n")
                .find("error: '/srv/data/keys' does not exist and cannot be covered"),
            std::string::npos);
  EXPECT_TRUE(is_error(trial.said("filesystem: {read: [/srv/data], hide: [/srv/data/keys]}\n")));
  EXPECT_EQ(trial.said("filesystem: {read: [/srv/data], hide: [{path: /srv/data/keys, optional: true}]}\n"), "");
  const std::string optional =
      trial.said("filesystem: {write: [/srv/data], hide: [{path: /srv/data/keys, optional: true}]}\n");
  EXPECT_TRUE(is_warning(optional)) << optional;
}

TEST(Hide, OfAPresetWarnsOnceOfAllThatIsMissing) {
  Trial trial;
  const std::string said =
      trial.said("filesystem: {write: [{path: \"~\", dangerous: true}], hide: [\"preset:home-secrets\"]}\n");
  EXPECT_NE(said.find("more below a write grant: missing"), std::string::npos) << said;
  EXPECT_EQ(said.find("more below a write grant"), said.rfind("more below a write grant"));
}

// --- programs ---

TEST(Exec, OfAnInterpreterSaysWhatItMeansOnce) {
  Trial trial;
  trial.machine.program("/usr/bin/python3").program("/usr/bin/bash").program("/opt/tool");
  const std::string said = trial.said("filesystem: {exec: [/opt/tool, /usr/bin/python3, /usr/bin/bash]}\n");
  EXPECT_EQ(said.find("which files start, not which code"), said.rfind("which files start, not which code"));
  EXPECT_NE(said.find("'/usr/bin/python3'"), std::string::npos);
  EXPECT_EQ(trial.said("filesystem: {exec: [/opt/tool]}\n"), "");
}

TEST(Exec, SeesAnInterpreterBehindALinkAndInAFolder) {
  Trial trial;
  trial.machine.program("/usr/bin/perl5.36").led("/opt/tool", "/usr/bin/perl5.36", {});
  trial.machine.facts().paths["/opt/tool"].mode = 0755;
  EXPECT_TRUE(is_warning(trial.said("filesystem: {exec: [/opt/tool]}\n")));
  EXPECT_TRUE(is_warning(trial.said("filesystem: {exec: [/opt/bin]}\n")));
}

TEST(Exec, WantsPrograms) {
  Trial trial;
  trial.machine.file("/opt/data").device("/opt/null");
  EXPECT_NE(trial.said("filesystem: {exec: [/opt/data]}\n").find("not executable"), std::string::npos);
  EXPECT_TRUE(is_error(trial.said("filesystem: {exec: [/opt/null]}\n")));
}

// --- environment ---

TEST(Env, GlobsNeverMatchWhatRunsCode) {
  for (const char* name :
       {"LD_PRELOAD", "LD_LIBRARY_PATH", "LD_AUDIT", "BASH_ENV", "ENV", "PYTHONSTARTUP", "PYTHONPATH", "NODE_OPTIONS",
        "PERL5OPT", "RUBYOPT", "GCONV_PATH", "BASH_FUNC_x", "GLIBC_TUNABLES", "IFS"}) {
    EXPECT_FALSE(passes("*", name)) << name;
    EXPECT_FALSE(passes(std::string(name, 2) + "*", name)) << name;
    EXPECT_TRUE(passes(name, name)) << name;
  }
  EXPECT_TRUE(passes("LC_*", "LC_ALL"));
  EXPECT_TRUE(passes("*_X_*", "A_X_B"));
  EXPECT_TRUE(passes("A*B*C", "AxBxBxC"));
  EXPECT_FALSE(passes("A*B", "AxBx"));
  EXPECT_FALSE(passes("LC_*", "LANG"));
  EXPECT_FALSE(passes("LANG", "LANGUAGE"));
  EXPECT_FALSE(passes(std::string(120, '*') + "b", std::string(100, 'a')));
}

TEST(Env, NamesThatRunCodeAreToldWhereverTheyStand) {
  EXPECT_TRUE(is_warning(verdict("env: {allow: [LD_PRELOAD]}\n")));
  EXPECT_TRUE(is_warning(verdict("env: {secret: [NODE_OPTIONS]}\n")));
  EXPECT_TRUE(is_warning(verdict("env: {set: {BASH_ENV: /x}}\n")));
  EXPECT_TRUE(is_warning(verdict("env: {allow: [\"LD_*\"]}\n")));
  EXPECT_TRUE(is_warning(verdict("env: {allow: [\"PYTHON*\"]}\n")));
  EXPECT_TRUE(is_warning(verdict("env: {allow: [\"*\"]}\n")));
  EXPECT_EQ(verdict("env: {allow: [LANG, \"LC_*\", \"ACME_*\"], set: {PYTHONDONTWRITEBYTECODE: \"1\"}}\n"), "");
}

TEST(Env, SecretsBelongUnderSecret) {
  EXPECT_TRUE(is_warning(verdict("env: {allow: [ACME_TOKEN]}\n")));
  EXPECT_EQ(verdict("env: {secret: [ACME_TOKEN]}\n"), "");
  EXPECT_TRUE(is_error(verdict("env: {secret: [ACME_TOKEN], set: {ACME_TOKEN: x}}\n")));
}

// --- network ---

TEST(NetworkRules, NameEachWeakening) {
  for (const char* endpoint : {"tcp://a.example:*", "tcp://0.0.0.0/0:443", "tcp://[::]/0:443", "tcp://*.com:443",
                               "tcp://*.s3.amazonaws.com:443", "tcp://*.workers.dev:443", "tcp://169.254.169.254:80",
                               "tcp://169.254.0.0/16:80", "tcp://127.0.0.0/8:80", "udp://127.0.0.0/31:53"})
    EXPECT_TRUE(is_warning(verdict("network: {allow: [\"" + std::string(endpoint) + "\"]}\n"))) << endpoint;
  EXPECT_EQ(verdict("network: {allow: [tcp://a.example:443, \"tcp://*.a.example:443\", tcp://127.0.0.1:6379,\n"
                    "  tcp://127.0.0.1/32:6379]}\n"),
            "");
  EXPECT_TRUE(is_warning(verdict("network: {allow: [{to: tcp://a.example:443, sni: off}]}\n")));
  EXPECT_EQ(verdict("network: {allow: [{to: tcp://a.example:443, sni: on}, {to: tcp://10.0.0.1:443}]}\n"), "");
  EXPECT_TRUE(is_warning(verdict("network: {listen: [tcp://0.0.0.0:80]}\n")));
  EXPECT_EQ(verdict("network: {listen: [tcp://127.0.0.1:8080]}\n"), "");
}

TEST(NetworkRules, HostModeLeavesNothingToAllow) {
  EXPECT_TRUE(is_warning(verdict("network: {mode: host}\n")));
  EXPECT_FALSE(is_error(verdict("network: {mode: host}\n")));
  EXPECT_NE(verdict("network:\n  allow: [tcp://a.example:443]\n  mode: host\n")
                .find("crm.yaml:4:11: error: network.allow says nothing with mode: host in /srv/profiles/crm.yaml:5:9"),
            std::string::npos);
  EXPECT_TRUE(is_error(verdict("network: {mode: host, listen: [tcp://127.0.0.1:1]}\n")));
}

// --- the rest ---

TEST(Syscalls, AreNotAllowedAndDeniedAtOnce) {
  EXPECT_TRUE(is_error(verdict("syscalls: {allow: [ptrace], deny: [ptrace]}\n")));
  EXPECT_EQ(verdict("syscalls: {allow: [\"@keyring\"], deny: [ptrace]}\n"), "");
}

TEST(UserRules, RootIsForRootAndNamed) {
  EXPECT_TRUE(is_error(verdict("user: root\n")));
  Trial trial;
  trial.machine.facts().uid = 0;
  EXPECT_TRUE(is_warning(trial.said("user: root\n")));
  EXPECT_FALSE(is_error(trial.said("user: root\n")));
}

TEST(Cwd, IsAFolderOfTheJail) {
  EXPECT_EQ(verdict("cwd: /tmp\n"), "");
  EXPECT_EQ(verdict("cwd: /\n"), "");
  Trial trial;
  trial.machine.folder("/srv/data").file("/srv/file");
  EXPECT_EQ(trial.said("cwd: /srv/data\nfilesystem: {read: [/srv]}\n"), "");
  EXPECT_TRUE(is_error(trial.said("cwd: /srv/data\n")));
  EXPECT_TRUE(is_error(trial.said("cwd: /srv/file\nfilesystem: {read: [/srv]}\n")));
  EXPECT_TRUE(is_error(trial.said("cwd: /srv/none\nfilesystem: {read: [/srv]}\n")));
  EXPECT_TRUE(is_error(trial.said("cwd: /srv/data\nfilesystem: {read: [/srv], hide: [/srv/data]}\n")));
}

TEST(IntegrityRules, ItsTreeIsVisible) {
  EXPECT_TRUE(is_error(verdict("integrity: {path: /srv/p, sha256: " + std::string(64, 'a') + "}\n")));
}

TEST(IntegrityRules, NothingInItsTreeIsHidden) {
  const std::string more = "integrity: {path: /srv/p, sha256: " + std::string(64, 'a') + "}\n";
  EXPECT_EQ(verdict("filesystem: {read: [/srv/p]}\n" + more), "");
  const std::string said = verdict("filesystem: {read: [/srv/p], hide: [/srv/p/keys]}\n" + more);
  EXPECT_NE(said.find("crm.yaml:3:37: error: '/srv/p/keys' lies in the tree of integrity"), std::string::npos) << said;
}

TEST(MonitorRules, HashOnlyWhatIsGranted) {
  const std::string hash = "monitor: {hash: [\"/srv/p/**/*.py\"]}\n";
  EXPECT_EQ(verdict("filesystem: {read: [/srv/p]}\n" + hash), "");
  EXPECT_EQ(verdict("filesystem: {read: [/srv]}\n" + hash), "");
  EXPECT_EQ(verdict("filesystem: {read: [/srv/p/main.py]}\nmonitor: {hash: [/srv/p/main.py]}\n"), "");
  EXPECT_TRUE(is_error(verdict(hash)));
  EXPECT_TRUE(is_error(verdict("filesystem: {read: [/srv/p/lib]}\n" + hash)));
  EXPECT_TRUE(is_error(verdict("filesystem: {read: [/srv], hide: [/srv/p]}\n" + hash)));
}

TEST(MonitorRules, HashNothingBehindAForbiddenLink) {
  Trial trial;
  trial.machine.folder("/srv/p");
  trial.machine.facts().paths["/srv/p"].refused = "'/srv/p' is a link that 'bob' may change";
  const std::string said = trial.said("filesystem: {read: [/srv]}\nmonitor: {hash: [\"/srv/p/*.py\"]}\n");
  EXPECT_NE(said.find("crm.yaml:4:18: error: '/srv/p': '/srv/p' is a link"), std::string::npos) << said;
}

TEST(MonitorRules, WantASourceForWhatTheyAsk) {
  EXPECT_TRUE(is_error(verdict("monitor: {source: none, files: all}\n")));
  EXPECT_TRUE(is_error(verdict("monitor: {source: none, on_loss: kill}\n")));
  EXPECT_TRUE(is_error(verdict("monitor: {source: none, ring: 1M}\n")));
  EXPECT_EQ(verdict("monitor: {ring: 16M}\n"), "");
  EXPECT_EQ(verdict("monitor: {source: none}\n"), "");
  EXPECT_EQ(verdict("monitor: {source: none, files: none}\n"), "");
  EXPECT_TRUE(is_error(verdict("monitor: {source: ebpf}\naudit: {durable: each}\n")));
  EXPECT_EQ(verdict("monitor: {source: notify}\naudit: {durable: each}\n"), "");
}

TEST(LimitRules, TmpFitsIntoMemory) {
  EXPECT_TRUE(is_warning(verdict("filesystem: {temporary: 512M}\nlimits: {memory: 512M}\n")));
  EXPECT_EQ(verdict("filesystem: {temporary: 64M}\nlimits: {memory: 512M}\n"), "");
}

TEST(LimitRules, TmpFitsIntoTheMachine) {
  Trial trial;
  trial.machine.facts().memory = 1ULL << 30;
  const std::string said = trial.said("filesystem: {temporary: 1G}\n");
  EXPECT_TRUE(said.starts_with("/srv/profiles/crm.yaml:3:25: warning: filesystem.temporary is not below this machine's "
                               "memory, 1 GiB: "))
      << said;
  EXPECT_EQ(trial.said("filesystem: {temporary: 1023M}\n"), "");
  EXPECT_TRUE(is_warning(trial.said("filesystem: {temporary: 100T}\nlimits: {memory: 200T}\n")));
}

TEST(LimitRules, SomethingIsLeftToReadAndWrite) {
  EXPECT_EQ(verdict("limits: {io: 64K}\n"), "");
  const std::string said = verdict("limits: {io: 65535B}\n");
  EXPECT_TRUE(is_error(said)) << said;
  EXPECT_NE(said.find("limits.io: "), std::string::npos) << said;
}

TEST(LimitRules, GraceEnds) {
  const std::string said = verdict("limits: {grace: 100d}\n");
  EXPECT_TRUE(said.starts_with("/srv/profiles/crm.yaml:3:17: error: limits.grace: ")) << said;
  EXPECT_TRUE(is_error(verdict("limits: {grace: 601s}\n")));
  EXPECT_EQ(verdict("limits: {grace: 10m, time: 100d}\n"), "");
}

TEST(Findings, AreSortedByPlace) {
  const Diagnostics found =
      Trial().found("network: {allow: [\"tcp://a.example:*\"]}\nfilesystem: {read: [/proc, /sys]}\nuser: root\n");
  ASSERT_EQ(found.size(), 4u);
  for (std::size_t i = 1; i < found.size(); ++i) EXPECT_LE(found[i - 1].place.line, found[i].place.line);
}

TEST(Findings, AreTheSameForTheSameFacts) {
  const std::string text = "filesystem: {read: [/proc, ~/.ssh], write: [/etc, /srv/.git]}\nenv: {allow: [\"*\"]}\n";
  EXPECT_EQ(verdict(text), verdict(text));
}

TEST(Findings, AsTextTellErrorsBeforeWarnings) {
  const std::string said = verdict("env: {allow: [\"*\"]}\nfilesystem: {read: [/proc]}\n");
  EXPECT_LT(said.find("error:"), said.find("warning:"));
}

}  // namespace
}  // namespace jail::profile
