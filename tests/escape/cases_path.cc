// Paths: every way to read what was not granted, to change what was granted for reading only, and to give something a
// second name elsewhere. The siblings of every path call (ATTACKS, System-call ABI) are the columns of these tables.
#include "case.h"

#include <gtest/gtest.h>
#include <unistd.h>

namespace jail::test {
namespace {

const char* const kReadMethods[] = {"open",    "openat", "openat2",     "open-create", "open-rdwr", "o_path",
                                    "parent-fd", "chdir", "open-trunc", "vfork-child", "handle",    "stat",
                                    "lstat",   "statx",  "access",      "faccessat2",  "getxattr"};

const char* const kChangeMethods[] = {
    "write",     "append",   "mmap",   "truncate", "open-trunc", "chmod",    "fchmodat", "fchmod",   "chown",
    "lchown",    "fchownat", "utime",  "utimes",   "utimensat",  "setxattr", "lsetxattr", "unlink",  "unlinkat",
    "rename",    "renameat", "renameat2", "link",  "linkat",     "symlink",  "symlinkat", "create",  "creat",
    "mkdir",     "mkdirat",  "mkfifo", "mknodat",  "tmpfile",    "fallocate", "pwritev2", "chattr"};

std::string identifier(std::string name) {
  for (char& letter : name)
    if (letter == '-') letter = '_';
  return name;
}

// tmpfs knows user attributes since 6.6 and no chattr before; an overlay may know neither.
const Errors kNotOnThisFileSystem = {"EOPNOTSUPP", "ENOTTY"};

void add_reads(std::vector<Case>& table) {
  for (const std::string method : kReadMethods) {
    const Errors errors = method == "handle"    ? kFiltered
                          : method == "openat2" ? Errors{"ENOENT", "EACCES", "ENOSYS"}
                                                : kNotThere;
    table.push_back({.name = "read_ungranted_" + identifier(method),
                     .attack = {"read-by", method, "{secret}/key"},
                     .errors = errors,
                     .control = method == "handle" ? outside_as_root() : outside(),
                     .event = method == "handle" || method == "openat2" ? "syscall.denied" : "file.open"});
  }
  for (const std::string method : {"open", "openat", "o_path", "parent-fd", "chdir", "vfork-child", "stat", "lstat",
                                   "statx", "access", "faccessat2", "getxattr"})
    table.push_back({.name = "granted_read_works_by_" + identifier(method),
                     .attack = {"read-by", method, "{read}/public"},
                     .expect = Expect::Allowed});
  for (const std::string method : {"open-rdwr", "open-create", "open-trunc"})
    table.push_back({.name = "read_grant_" + identifier(method),
                     .attack = {"read-by", method, "{read}/public"},
                     .errors = kReadOnly,
                     .event = "file.open"});
}

// Most methods begin by opening what they change.
std::string event_of_change(const std::string& method) {
  const std::map<std::string, std::string> kinds = {
      {"chmod", "file.metadata"},     {"fchmodat", "file.metadata"},  {"fchmod", "file.metadata"},
      {"chown", "file.metadata"},     {"lchown", "file.metadata"},    {"fchownat", "file.metadata"},
      {"utime", "file.metadata"},     {"utimes", "file.metadata"},    {"utimensat", "file.metadata"},
      {"setxattr", "file.metadata"},  {"lsetxattr", "file.metadata"}, {"chattr", "file.metadata"},
      {"unlink", "file.delete"},      {"unlinkat", "file.delete"},    {"rename", "file.rename"},
      {"renameat", "file.rename"},    {"renameat2", "file.rename"},   {"link", "file.link"},
      {"linkat", "file.link"},        {"symlink", "file.link"},       {"symlinkat", "file.link"},
      {"mkdir", "file.create"},       {"mkdirat", "file.create"},     {"mkfifo", "file.create"},
      {"mknodat", "file.create"}};
  const auto kind = kinds.find(method);
  return kind != kinds.end() ? kind->second : "file.open";
}

bool begins_by_opening(const std::string& method) { return method == "fchmod" || method == "chattr"; }

void add_changes(std::vector<Case>& table) {
  for (const std::string method : kChangeMethods) {
    const bool by_file_system = method == "setxattr" || method == "lsetxattr" || method == "chattr";
    Errors read_only = kReadOnly;
    if (by_file_system) read_only.insert(kNotOnThisFileSystem.begin(), kNotOnThisFileSystem.end());
    const Control control = by_file_system ? where_supported(kNotOnThisFileSystem) : outside();
    table.push_back({.name = "change_read_only_" + identifier(method),
                     .attack = {"change-by", method, "{read}/public"},
                     .errors = read_only,
                     .control = control,
                     .event = event_of_change(method)});
    table.push_back({.name = "change_ungranted_" + identifier(method),
                     .attack = {"change-by", method, "{secret}/key"},
                     .errors = {"ENOENT", "EACCES", "EROFS", "EPERM"},
                     .control = control,
                     .event = begins_by_opening(method) ? "file.open" : event_of_change(method)});
    if (by_file_system) continue;
    table.push_back({.name = "granted_write_works_by_" + identifier(method),
                     .attack = {"change-own", method, "{write}/own"},
                     .expect = Expect::Allowed});
  }
}

// Names that lead back out of the view.
void add_walks(std::vector<Case>& table) {
  const std::pair<std::string, std::string> walks[] = {
      {"dotdot_of_read_grant", "{read}/../secret/key"},
      {"dotdot_of_write_grant", "{write}/../secret/key"},
      {"dotdot_of_root", "/../../../..{secret}/key"},
      {"proc_self_root", "/proc/self/root{secret}/key"},
      {"proc_thread_self_root", "/proc/thread-self/root{secret}/key"},
      {"proc_self_cwd", "/proc/self/cwd/../secret/key"},
      {"proc_1_root", "/proc/1/root{secret}/key"},
      {"proc_1_cwd", "/proc/1/cwd{secret}/key"},
      {"dev_fd", "/dev/fd/../root{secret}/key"},
      {"double_slashes", "//{secret}//key"},
  };
  for (const auto& [name, path] : walks) {
    const bool of_init = path.find("/proc/1/") != std::string::npos;
    table.push_back({.name = "walk_" + name,
                     .attack = {"read-by", "open", path},
                     .errors = {"ENOENT", "EACCES", "EPERM"},
                     .control_attack = {"read-by", "open", of_init ? "/proc/{victim}/root{secret}/key" : path},
                     .event = "file.open",
                     .setup = [](Scene& scene) { scene.spawn_victim(); }});
  }
  table.push_back({.name = "relative_to_launcher_folder",
                   .attack = {"relative-open", "key"},
                   .errors = {"ENOENT"},
                   .control = no_control("outside, the test stands in another folder"),
                   .prepare = [](const Scene& scene) {
                     if (::chdir(scene.at("{secret}").c_str()) != 0) ::_exit(99);
                   }});
}

void plant_links(Scene& scene) {
  EXPECT_EQ(::symlink(scene.at("{secret}/key").c_str(), scene.at("{write}/link").c_str()), 0);
  EXPECT_EQ(::symlink("../secret", scene.at("{write}/folder-link").c_str()), 0);
  EXPECT_EQ(::symlink("../secret/key", scene.at("{read}/link").c_str()), 0);
  EXPECT_EQ(::symlink("/proc/self/root", scene.at("{write}/magic").c_str()), 0);
}

void add_links(std::vector<Case>& table) {
  const std::pair<std::string, std::string> links[] = {{"absolute", "{write}/link"},
                                                       {"of_folder", "{write}/folder-link/key"},
                                                       {"in_read_grant", "{read}/link"},
                                                       {"to_magic", "{write}/magic{secret}/key"}};
  for (const auto& [name, path] : links)
    for (const std::string method : {"open", "o_path", "stat"})
      table.push_back({.name = "symlink_" + name + "_" + identifier(method),
                       .attack = {"read-by", method, path},
                       .errors = kNotThere,
                       .event = "file.open",
                       .setup = plant_links});
  const std::pair<std::string, std::vector<std::string>> names[] = {
      {"hard_link_ungranted", {"hard-link", "{secret}/key", "{write}/alias"}},
      {"hard_link_read_only", {"hard-link", "{read}/public", "{write}/alias"}},
      {"hard_link_into_read_only", {"hard-link", "{write}/mine", "{read}/alias"}},
      {"link_descriptor_read_only", {"link-descriptor", "{read}/public", "{write}/alias"}},
      {"rename_ungranted", {"rename", "{secret}/key", "{write}/moved"}},
      {"rename_out_of_read_only", {"rename", "{read}/public", "{write}/moved"}},
      {"rename_into_read_only", {"rename", "{write}/mine", "{read}/public"}},
      {"exchange_with_read_only", {"exchange", "{write}/mine", "{read}/public"}},
      {"rename_grant_itself", {"rename", "{write}", "{dir}/elsewhere"}},
      {"rename_program", {"rename", "{attacker}", "{write}/attacker"}},
  };
  for (const auto& [name, attack] : names) {
    Errors errors = kElsewhere;
    if (name == "rename_grant_itself") errors.insert("EBUSY");
    const bool link = name.find("link") != std::string::npos;
    table.push_back({.name = name, .attack = attack, .errors = errors, .event = link ? "file.link" : "file.rename"});
  }
}

// Rename across grants of different kinds must not turn data into code.
void add_across(std::vector<Case>& table) {
  const auto make_second = [](Scene& scene) {
    scene.make_folder("{dir}/code");
    scene.write_file("{dir}/code/tool", "x", 0755);
  };
  const Profile with_code = {.exec = {"{dir}/code"}};
  table.push_back({.name = "rename_into_exec_grant", .attack = {"rename", "{write}/mine", "{dir}/code/tool"},
                   .errors = kElsewhere, .profile = with_code, .setup = make_second});
  table.push_back({.name = "write_into_exec_grant", .attack = {"change-by", "write", "{dir}/code/tool"},
                   .errors = kReadOnly, .profile = with_code, .setup = make_second});
  table.push_back({.name = "create_in_exec_grant", .attack = {"change-by", "create", "{dir}/code/tool"},
                   .errors = kReadOnly, .profile = with_code, .setup = make_second});
  table.push_back({.name = "write_own_program", .attack = {"change-by", "write", "{attacker}"},
                   .errors = {"EROFS", "EACCES", "EPERM", "ETXTBSY"},
                   .control = no_control("a running program is ETXTBSY outside too")});
  table.push_back({.name = "unlink_own_program", .attack = {"change-by", "unlink", "{attacker}"},
                   .errors = {"EROFS", "EACCES", "EPERM", "EBUSY", "ENOENT"}});
}

// Moving within a grant is ordinary work: Landlock's REFER must be there.
void add_moves_that_work(std::vector<Case>& table) {
  const auto make = [](Scene& scene) {
    scene.make_folder("{write}/one", scene.launcher() == Launcher::Root ? 0777 : 0755);
    scene.make_folder("{write}/two", scene.launcher() == Launcher::Root ? 0777 : 0755);
    scene.write_file("{write}/one/file", "moved", 0666);
  };
  const std::pair<std::string, std::vector<std::string>> moves[] = {
      {"rename", {"rename", "{write}/one/file", "{write}/two/file"}},
      {"folder", {"rename", "{write}/one", "{write}/two/one"}},
      {"hard_link", {"hard-link", "{write}/one/file", "{write}/two/link"}},
      {"descriptor", {"link-descriptor", "{write}/one/file", "{write}/two/link"}},
  };
  for (const auto& [name, attack] : moves)
    table.push_back({.name = "moving_works_by_" + name, .attack = attack, .expect = Expect::Allowed, .setup = make});
}

// Landlock (ATTACKS, Landlock): one optional path that is missing must not void the rules; threads must be covered.
void add_landlock(std::vector<Case>& table) {
  const Profile with_missing = {.read = {"{path: \"{dir}/not-there\", optional: true}"}};
  for (const std::string attack : {"thread-read", "leaderless-read", "widen"})
    table.push_back({.name = "landlock_" + identifier(attack), .attack = {attack, "{secret}/key"},
                     .errors = kNotThere});
  table.push_back({.name = "missing_path_voids_nothing",
                   .attack = {"read-by", "open", "{secret}/key"},
                   .errors = kNotThere,
                   .profile = with_missing});
  table.push_back({.name = "missing_path_voids_no_write_rule",
                   .attack = {"change-by", "create", "{read}/public"},
                   .errors = kReadOnly,
                   .profile = with_missing});
  table.push_back({.name = "stacking_domains_works", .attack = {"stack-domains", "8"}, .expect = Expect::Allowed});
}

}  // namespace

std::vector<Case> path_cases() {
  std::vector<Case> table;
  add_reads(table);
  add_changes(table);
  add_walks(table);
  add_links(table);
  add_across(table);
  add_moves_that_work(table);
  add_landlock(table);
  return table;
}

}  // namespace jail::test
