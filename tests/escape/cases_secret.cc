// Secrets (SECURITY D3; ATTACKS, Secrets): the caller's environment, wherever a copy of it may lie.
#include "case.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

namespace jail::test {
namespace {

void add_environment(std::vector<Case>& table) {
  table.push_back({.name = "variable_of_caller", .attack = {"variable", "API_TOKEN"},
                   .control = granted({.more = "env:\n  allow: [API_TOKEN]\n"})});
  table.push_back({.name = "variable_on_stack", .attack = {"stack-search", kEnvSecret}});
  table.push_back({.name = "variable_beside_a_granted_one", .attack = {"variable", "API_TOKEN"},
                   .profile = {.more = "env:\n  allow: [HOME, \"LC_*\"]\n"}});
  table.push_back({.name = "variable_in_other_processes", .attack = {"every-process", kEnvSecret},
                   .control = no_control("outside, the test's own processes are somebody else's")});
  for (const std::string file : {"environ", "cmdline", "maps", "auxv"})
    table.push_back({.name = "init_" + file, .attack = {"process-file", "1", file},
                     .errors = {"EACCES", "ENOENT", "EPERM"},
                     .control_attack = {"process-file", "{victim}", file},
                     .setup = [](Scene& scene) { scene.spawn_victim(); }});
  // Each makes a program load code of the caller's choice.
  for (const std::string name : {"LD_PRELOAD", "LD_AUDIT", "LD_LIBRARY_PATH", "BASH_ENV", "ENV", "PYTHONSTARTUP",
                                 "PYTHONPATH", "NODE_OPTIONS", "PERL5OPT", "GCONV_PATH", "GLIBC_TUNABLES", "PS4",
                                 "SSH_AUTH_SOCK", "DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR", "SUDO_USER"})
    table.push_back({.name = "variable_" + name,
                     .attack = {"variable", name},
                     .environment = {{name, "/nonexistent"}}});
  table.push_back({.name = "granted_variable_works", .attack = {"variable", "API_TOKEN"}, .expect = Expect::Allowed,
                   .profile = {.more = "env:\n  allow: [API_TOKEN]\n"}});
  table.push_back({.name = "secret_variable_works", .attack = {"variable", "API_TOKEN"}, .expect = Expect::Allowed,
                   .profile = {.more = "env:\n  secret: [API_TOKEN]\n"}});
  table.push_back({.name = "secret_variable_elsewhere", .attack = {"every-process", kEnvSecret},
                   .profile = {.more = "env:\n  secret: [API_TOKEN]\n"},
                   .control = no_control("outside, the test's own processes are somebody else's")});
}

void add_cores(std::vector<Case>& table) {
  const auto unlimited = [](const Scene&) {
    rlimit all{};
    ::getrlimit(RLIMIT_CORE, &all);
    all.rlim_cur = all.rlim_max;
    ::setrlimit(RLIMIT_CORE, &all);
  };
  table.push_back({.name = "core_limit", .attack = {"core-limit"}, .prepare = unlimited});
  table.push_back({.name = "core_limit_raised", .attack = {"raise-core-limit"}, .errors = {"EPERM"},
                   .prepare = unlimited});
  table.push_back({.name = "core_file", .attack = {"crash"},
                   // Where core_pattern pipes to a handler or RLIMIT_CORE is hard 0, no file shows outside either.
                   .control = where_supported({"-"}), .prepare = unlimited});
}

// What a launcher hands on without meaning to.
void add_inheritance(std::vector<Case>& table) {
  const auto odd_signals = [](const Scene&) {
    sigset_t some;
    sigemptyset(&some);
    for (const int number : {SIGTERM, SIGUSR1, SIGCHLD}) sigaddset(&some, number);
    ::sigprocmask(SIG_BLOCK, &some, nullptr);
    for (const int number : {SIGPIPE, SIGHUP, SIGINT, SIGQUIT}) ::signal(number, SIG_IGN);
  };
  table.push_back({.name = "inherited_signals", .attack = {"inherited-signals"}, .prepare = odd_signals});
  table.push_back({.name = "environment_of_nothing_works", .attack = {"stands-in", "{write}"},
                   .expect = Expect::Allowed});
  table.push_back({.name = "stands_in_stated_folder", .attack = {"stands-in", "{read}"}, .expect = Expect::Allowed,
                   .profile = {.more = "cwd: \"{read}\"\n"}});
}

}  // namespace

std::vector<Case> secret_cases() {
  std::vector<Case> table;
  add_environment(table);
  add_cores(table);
  add_inheritance(table);
  return table;
}

}  // namespace jail::test
