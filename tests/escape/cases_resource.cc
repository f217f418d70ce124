// Resources (SECURITY C12; ATTACKS, Resources). Without a cgroup some limits are partial (DECISIONS 19): the number of
// processes is counted per user namespace, memory per process. Both must still stop these, as a cgroup does, which ends
// who takes too much memory.
#include "case.h"

namespace jail::test {
namespace {

Profile limit(const std::string& lines) { return {.more = "limits: {" + lines + "}\n"}; }

void add_processes(std::vector<Case>& table) {
  const Errors full = {"EAGAIN"};
  for (const std::string attack : {"processes", "fork-chain", "threads"}) {
    const std::string name = attack == "fork-chain" ? "fork_chain" : attack;
    table.push_back({.name = name + "_stated_limit", .attack = {attack, "400"}, .errors = full,
                     .profile = limit("pids: 32"), .event = "limit.reached"});
    table.push_back({.name = name + "_default_limit", .attack = {attack, "1500"}, .errors = full,
                     .control = no_control("the stated limit has one"), .event = "limit.reached"});
  }
  table.push_back({.name = "processes_below_limit_work", .attack = {"processes", "40"}, .expect = Expect::Allowed,
                   .profile = limit("pids: 64")});
}

void add_space(std::vector<Case>& table) {
  // Indented: it continues `filesystem`.
  const std::string temporary = "  temporary: 16M\n";
  for (const std::string folder : {"/tmp", "/dev/shm"}) {
    const std::string name = folder == "/tmp" ? "tmp" : "shm";
    table.push_back({.name = "fill_" + name, .attack = {"fill", folder, "200"}, .errors = {"ENOSPC"},
                     .profile = {.more = temporary}, .control = no_control("the host's own " + folder),
                     .event = "limit.reached"});
    table.push_back({.name = "inodes_of_" + name, .attack = {"files", folder, "150000"}, .errors = {"ENOSPC"},
                     .profile = {.more = temporary}, .control = no_control("the host's own " + folder),
                     .event = "limit.reached"});
    table.push_back({.name = "some_in_" + name + "_works", .attack = {"fill", folder, "8"},
                     .expect = Expect::Allowed, .profile = {.more = temporary}});
  }
  for (const std::string place : {"/", "/dev", "/proc"})
    table.push_back({.name = "fill_place_" + std::string(place == "/" ? "root" : place.substr(1)),
                     .attack = {"fill", place, "16"},
                     .errors = {"EROFS", "EACCES", "ENOENT", "EPERM"},
                     .control = no_control("the host's own folders")});
  table.push_back({.name = "file_size", .attack = {"fill", "{write}", "16"}, .errors = {"EFBIG"},
                   .profile = limit("file_size: 4M"), .event = "limit.reached"});
  table.push_back({.name = "file_size_sparse", .attack = {"sparse", "{write}/sparse", "16"}, .errors = {"EFBIG"},
                   .profile = limit("file_size: 4M"), .event = "limit.reached"});
}

void add_others(std::vector<Case>& table) {
  table.push_back({.name = "descriptors_stated", .attack = {"descriptors", "400"}, .errors = {"EMFILE"},
                   .profile = limit("files: 64"), .event = "limit.reached"});
  table.push_back({.name = "descriptors_default", .attack = {"descriptors", "3000"}, .errors = {"EMFILE"},
                   .control = no_control("the caller's own limit may be lower"), .event = "limit.reached"});
  table.push_back({.name = "memory_stated", .attack = {"memory", "512"}, .errors = {"ENOMEM", "SIGKILL"},
                   .profile = limit("memory: 64M") , .event = "limit.reached"});
  for (const std::string which : {"nproc", "nofile", "fsize", "core"})
    table.push_back({.name = "raise_" + which, .attack = {"raise-limit", which}, .errors = {"EPERM"},
                     .profile = limit("file_size: 64M"),
                     .control = no_control("an ordinary user cannot raise a hard limit anywhere")});
}

}  // namespace

std::vector<Case> resource_cases() {
  std::vector<Case> table;
  add_processes(table);
  add_space(table);
  add_others(table);
  return table;
}

}  // namespace jail::test
