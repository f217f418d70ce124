// IPC (SECURITY A5, D4; ATTACKS, IPC): processes, objects and keys outside. Most signals "succeed" on the sender
// itself, so that the host looks at its own process afterwards.
#include "case.h"

#include <fcntl.h>
#include <linux/keyctl.h>
#include <mqueue.h>
#include <signal.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstring>

namespace jail::test {
namespace {

int priority_of_victim(const Scene& scene) {
  return ::getpriority(PRIO_PROCESS, static_cast<id_t>(std::stoul(scene.value("victim"))));
}
// The suite itself may have been started by nice(1): what counts is a change.
void victim(Scene& scene) {
  scene.spawn_victim();
  scene.set("nice", std::to_string(priority_of_victim(scene)));
}
bool victim_died(const Scene& scene) {
  return eventually(0.3, [&] { return !scene.victim_lives(); });
}

// Put the launcher into the victim's process group, as a shell does with a pipeline.
void join_victim(const Scene& scene) {
  if (::setpgid(0, static_cast<pid_t>(std::stoul(scene.value("victim")))) != 0) ::_exit(99);
}

void add_signals(std::vector<Case>& table) {
  const std::pair<std::string, std::vector<std::string>> by_number[] = {
      {"kill", {"kill", "{victim}", "15"}}, {"tgkill", {"tgkill", "{victim}"}},
      {"tkill", {"tkill", "{victim}"}},     {"sigqueue", {"sigqueue", "{victim}"}},
      {"pidfd", {"pidfd-kill", "{victim}"}}, {"sigio", {"sigio", "{victim}"}},
  };
  for (const auto& [name, attack] : by_number)
    table.push_back({.name = "signal_by_" + name,
                     .attack = attack,
                     .errors = kNobody,
                     .setup = victim,
                     .host_was_hit = victim_died});
  table.push_back({.name = "kill_own_group", .attack = {"kill-group", "0"}, .setup = victim, .prepare = join_victim,
                   .host_was_hit = victim_died});
  table.push_back({.name = "kill_group_by_number", .attack = {"kill-group", "-{victim}"}, .setup = victim,
                   .prepare = join_victim, .host_was_hit = victim_died});
  table.push_back({.name = "kill_everybody", .attack = {"kill-group", "-1"},
                   .control = no_control("it would end every process of the user"),
                   .setup = victim, .host_was_hit = victim_died});
  const auto slower = [](const Scene& scene) {
    return priority_of_victim(scene) != std::stoi(scene.value("nice"));
  };
  table.push_back({.name = "renice_own_group", .attack = {"renice-group"}, .setup = victim, .prepare = join_victim,
                   .host_was_hit = slower});
  table.push_back({.name = "renice_own_user", .attack = {"renice-user"},
                   .control = no_control("it would slow every process of the user"),
                   .setup = victim, .host_was_hit = slower});
  const auto idle_io = [](const Scene& scene) {
    return ::syscall(SYS_ioprio_get, 1 /* IOPRIO_WHO_PROCESS */, std::stoul(scene.value("victim"))) >> 13 == 3;
  };
  table.push_back({.name = "ionice_own_group", .attack = {"ionice-group"}, .setup = victim, .prepare = join_victim,
                   .host_was_hit = idle_io});
}

// The same attack on a process outside of whose pid nothing is special.
std::vector<std::string> of_victim(std::vector<std::string> words) {
  for (std::string& word : words)
    if (word == "1") word = "{victim}";
  return words;
}

void add_processes(std::vector<Case>& table) {
  // Where the pid namespace has no such number, nobody is asked and so nothing is denied: no event.
  const std::string power = "privilege.attempt", nobody = "";
  const std::tuple<std::string, std::vector<std::string>, std::string> victims[] = {
      {"attach", {"trace", "attach", "{victim}"}, power}, {"seize", {"trace", "seize", "{victim}"}, power},
      {"mem_file", {"mem-file", "{victim}"}, "file.open"}, {"mem_call", {"mem-call", "{victim}", "0"}, power},
      {"pidfd_open", {"pidfd-open", "{victim}"}, nobody},  {"prlimit", {"prlimit", "{victim}"}, nobody},
      {"schedule", {"schedule", "{victim}"}, nobody},
  };
  for (const auto& [name, attack, event] : victims)
    table.push_back({.name = "outsider_" + name,
                     .attack = attack,
                     .errors = {"ESRCH", "EPERM", "ENOSYS", "ENOENT"},
                     .event = event,
                     .setup = victim});
  const Errors hidden = {"EPERM", "EACCES", "ENOSYS", "ENOENT", "ESRCH"};
  const std::tuple<std::string, std::vector<std::string>, std::string> of_init[] = {
      {"attach", {"trace", "attach", "1"}, power},          {"seize", {"trace", "seize", "1"}, power},
      {"mem_file", {"mem-file", "1"}, "file.open"},         {"mem_call", {"mem-call", "1", "0"}, power},
      {"root", {"process-link", "1", "root"}, "file.open"},
      {"cwd", {"process-link", "1", "cwd"}, "file.open"},   {"prlimit", {"prlimit", "1"}, nobody},
  };
  for (const auto& [name, attack, event] : of_init)
    table.push_back({.name = "init_" + name,
                     .attack = attack,
                     .errors = hidden,
                     .control_attack = of_victim(attack),
                     .event = event,
                     .setup = victim});
  table.push_back({.name = "init_ignores_signals", .attack = {"signal-init"},
                   .control = no_control("nobody signals the machine's own pid 1")});
  table.push_back({.name = "orphans_are_reaped", .attack = {"orphans", "20"},
                   .control = no_control("it asks whether pid 1 of the jail does its duty")});
}

// Objects that the host made, by key and by number.
void add_objects(std::vector<Case>& table) {
  static const key_t key = 0x4a000000 + ::getpid();
  const auto make = [](Scene& scene) {
    const int memory = ::shmget(key, 4096, IPC_CREAT | 0666);
    void* at = ::shmat(memory, nullptr, 0);
    std::strcpy(static_cast<char*>(at), kSecret);
    ::shmdt(at);
    const int semaphore = ::semget(key, 1, IPC_CREAT | 0666), queue = ::msgget(key, IPC_CREAT | 0666);
    scene.at_end([=] {
      ::shmctl(memory, IPC_RMID, nullptr);
      ::semctl(semaphore, 0, IPC_RMID);
      ::msgctl(queue, IPC_RMID, nullptr);
    });
    scene.set("key", std::to_string(key));
    scene.set("shmid", std::to_string(memory));
  };
  const Errors none = {"ENOENT", "EPERM", "ENOSYS", "EINVAL", "EIDRM", "EACCES"};
  for (const std::string kind : {"shm", "sem", "msg"})
    table.push_back({.name = "sysv_" + kind, .attack = {"sysv", kind, "{key}"}, .errors = none, .setup = make});
  table.push_back({.name = "sysv_by_number", .attack = {"sysv-number", "{shmid}"}, .errors = none, .setup = make});
  static const std::string name = "/jail-escape-" + std::to_string(::getpid());
  table.push_back({.name = "posix_queue",
                   .attack = {"mqueue", name},
                   .errors = {"ENOENT", "EPERM", "ENOSYS", "EACCES"},
                   .setup = [](Scene& scene) {
                     const mqd_t queue = ::mq_open(name.c_str(), O_RDWR | O_CREAT, 0666, nullptr);
                     ::fchmod(queue, 0666);
                     ::mq_send(queue, kSecret, std::strlen(kSecret) + 1, 0);
                     scene.keep(queue);
                     scene.at_end([] { ::mq_unlink(name.c_str()); });
                   }});
  table.push_back({.name = "posix_memory",
                   .attack = {"shm-open", name},
                   .errors = {"ENOENT", "EPERM", "EACCES"},
                   .setup = [](Scene& scene) {
                     const int memory = ::shm_open(name.c_str(), O_RDWR | O_CREAT, 0666);
                     ::fchmod(memory, 0666);
                     if (::write(memory, kSecret, std::strlen(kSecret)) < 0) std::abort();
                     scene.keep(memory);
                     scene.at_end([] { ::shm_unlink(name.c_str()); });
                   }});
}

// SECURITY A5: the operator's session keyring holds a key. Possession comes with the keyring, which fork hands on.
void add_key(Scene& scene) {
  ::syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, nullptr);
  const long serial =
      ::syscall(SYS_add_key, "user", "jail-escape", kSecret, std::strlen(kSecret), KEY_SPEC_SESSION_KEYRING);
  scene.set("serial", std::to_string(serial));
}

void add_keys(std::vector<Case>& table) {
  // The group alone lifts no invariant (B6); the calls' own names do, and then the keyring must be another.
  const Profile by_group = {.more = "syscalls:\n  allow: [\"@keyring\"]\n"};
  const Profile by_name = {.more = "syscalls:\n  allow: [keyctl, add_key, request_key]\n"};
  const std::pair<std::string, std::vector<std::string>> attacks[] = {
      {"by_name", {"key-by-name", "jail-escape"}},
      {"by_serial", {"key-by-serial", "{serial}"}},
      {"by_request", {"key-by-request", "jail-escape"}},
  };
  for (const auto& [name, attack] : attacks) {
    const std::string event = "privilege.attempt";
    table.push_back({.name = "key_" + name, .attack = attack, .errors = kFiltered, .event = event, .setup = add_key});
    table.push_back({.name = "key_" + name + "_group_allowed", .attack = attack,
                     .errors = {"ENOKEY", "EACCES", "EPERM", "ENOSYS"}, .profile = by_group, .event = event,
                     .setup = add_key});
    table.push_back({.name = "key_" + name + "_calls_allowed", .attack = attack, .errors = {"ENOKEY", "EACCES"},
                     .profile = by_name, .setup = add_key});
  }
  table.push_back({.name = "add_a_key", .attack = {"own-key"}, .errors = kFiltered, .event = "privilege.attempt"});
  table.push_back({.name = "add_a_key_calls_allowed", .attack = {"own-key"}, .expect = Expect::Allowed,
                   .profile = by_name});
}

}  // namespace

std::vector<Case> ipc_cases() {
  std::vector<Case> table;
  add_signals(table);
  add_processes(table);
  add_objects(table);
  add_keys(table);
  return table;
}

}  // namespace jail::test
