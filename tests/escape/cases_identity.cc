// Identity (SECURITY A1 to A3): seen from inside. What the host sees is in scenario_test.cc.
#include "case.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

namespace jail::test {
namespace {

const char* const kModeCalls[] = {"chmod", "fchmod", "fchmodat", "fchmodat2", "open",    "openat", "openat2",
                                  "creat", "mknod",  "mknodat",  "mkdir",     "mkdirat", "tmpfile"};

void add_modes(std::vector<Case>& table) {
  // Linux 6.6; below there is nothing to filter.
  const Errors no_call = {"ENOSYS", "EOPNOTSUPP"};
  for (const std::string call : kModeCalls) {
    const bool folder = call.starts_with("mkdir");
    for (const std::string mode : {"04755", "02755", "06755"}) {
      // mkdir(2) ignores setuid and setgid in its argument: nothing to show outside.
      const Errors errors = {"EPERM", "ENOSYS", "-"};
      table.push_back({.name = "mode_" + mode + "_" + call,
                       .attack = {"special-mode", call, "{write}/lender", mode},
                       .errors = folder ? errors : Errors{"EPERM", "ENOSYS"},
                       .control = folder ? no_control("the kernel ignores these bits of a new folder")
                                         : where_supported(no_call),
                       .event = "syscall.denied"});
    }
    if (call == "openat2" || call == "fchmodat2") continue;  // may be ENOSYS as a whole (A2)
    table.push_back({.name = "mode_0755_works_" + call, .attack = {"plain-mode", call, "{write}/plain"},
                     .expect = Expect::Allowed});
  }
  // umode_t has 16 bits: what is above them is not looked at by the kernel, only by a careless filter.
  for (const std::string call : {"chmod", "fchmodat", "mknod"})
    table.push_back({.name = "mode_with_high_bits_" + call,
                     .attack = {"special-mode", call, "{write}/lender", "0x109ed"},  // 04755 and bit 16
                     .errors = {"EPERM", "ENOSYS"}});
  table.push_back({.name = "file_capability", .attack = {"file-capability", "{write}/lender"},
                   .errors = {"EPERM", "EOPNOTSUPP", "ENOSYS"},
                   .control = as_root_where_supported({"EOPNOTSUPP", "EPERM"})});
}

void add_powers(std::vector<Case>& table) {
  const Control of_root = outside_as_root();
  table.push_back({.name = "no_capabilities", .attack = {"capabilities"}, .control = of_root});
  const std::pair<std::string, std::string> fields[] = {{"NoNewPrivs", "1"}, {"Seccomp", "2"}, {"TracerPid", "0"}};
  for (const auto& [field, value] : fields)
    table.push_back({.name = "status_" + field, .attack = {"status-is-not", field, value},
                     .control = field == "TracerPid" ? no_control("nobody traces the test") : outside()});
  for (const std::string how : {"setuid", "setgid", "setreuid", "setresuid", "setresgid", "setgroups", "setfsuid"})
    table.push_back({.name = "become_root_by_" + how, .attack = {"become-root", how},
                     .errors = {"EPERM", "EINVAL", "ENOSYS"}, .control = of_root, .event = "privilege.attempt"});
  for (const std::string how : {"capset", "ambient", "securebits", "set-mm"})
    table.push_back({.name = "power_" + (how == "set-mm" ? "set_mm" : how), .attack = {"powers", how},
                     .errors = {"EPERM", "EINVAL", "ENOSYS"},
                     .control = how == "capset" ? of_root
                                                : no_control("needs powers that a container's root may lack"),
                     .event = how == "set-mm" ? "syscall.denied" : "privilege.attempt"});
  table.push_back({.name = "core_pattern_for_writing",
                   .attack = {"change-by", "write", "/proc/sys/kernel/core_pattern"},
                   .errors = {"ENOENT", "EACCES", "EROFS"},
                   .control = no_control("it would change the machine")});
}

// Files of /proc that change what a process may do.
void add_own_proc(std::vector<Case>& table) {
  for (const std::string file : {"uid_map", "gid_map", "setgroups", "projid_map", "loginuid"})
    table.push_back({.name = "write_own_" + file,
                     .attack = {"change-by", "write", "/proc/self/" + file},
                     .errors = {"EPERM", "EACCES", "EINVAL", "ENOENT", "EROFS"},
                     .control = no_control("the kernel lets each be written once, and in the first namespace never")});
  for (const std::string file : {"uuid", "boot_id", "write_wakeup_threshold", "urandom_min_reseed_secs"})
    table.push_back({.name = "write_random_" + file,
                     .attack = {"change-by", "write", "/proc/sys/kernel/random/" + file},
                     .errors = {"EPERM", "EACCES", "ENOENT", "EROFS"},
                     .control = no_control("it would change the machine")});
}

// A setuid-root copy of the attacker in an exec grant: only a root driver can make one.
void add_setuid_program(std::vector<Case>& table) {
  const auto make = [](Scene& scene) {
    std::filesystem::copy_file(scene.at("{attacker}"), scene.at("{bin}/lender"));
    EXPECT_TRUE(!is_root() || ::chown(scene.at("{bin}/lender").c_str(), 0, 0) == 0);
    ::chmod(scene.at("{bin}/lender").c_str(), 04755);
  };
  table.push_back({.name = "run_setuid_root",
                   .attack = {"run-setuid", "{bin}/lender"},
                   .errors = {"EPERM", "EACCES"},
                   .profile = {.exec = {"{bin}/lender"}},
                   .control = is_root() ? outside() : no_control("only root makes a setuid-root file"),
                   .setup = make});
}

// Files that only root or a group of the launcher may read: a grant gives the path, not the right.
void add_ownership(std::vector<Case>& table) {
  table.push_back({.name = "granted_file_of_root",
                   .attack = {"read-by", "open", "{read}/of-root"},
                   .errors = {"EACCES"},
                   .control = outside(),
                   .setup =
                       [](Scene& scene) {
                         scene.write_file("{read}/of-root", kSecret, 0600);
                       },
                   .only = Only::Root});
  table.push_back({.name = "granted_file_of_root_by_weakening",
                   .attack = {"read-by", "open", "{read}/of-root"},
                   .expect = Expect::Allowed,
                   .profile = {.more = "user: root\n"},
                   .setup = [](Scene& scene) { scene.write_file("{read}/of-root", kSecret, 0600); },
                   .only = Only::Root});
  // Root can drop its groups, so it must; 42 is shadow on Debian, here it is a number like any other.
  table.push_back({.name = "groups_of_root_are_dropped",
                   .attack = {"in-group", "42"},
                   .groups = {42},
                   .only = Only::Root});
}

}  // namespace

std::vector<Case> identity_cases() {
  std::vector<Case> table;
  add_modes(table);
  add_powers(table);
  add_own_proc(table);
  add_setuid_program(table);
  add_ownership(table);
  return table;
}

}  // namespace jail::test
