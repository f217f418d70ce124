// Mounts (SECURITY C4, C5, C8, C12, C13; ATTACKS, Mounts and paths): what the view is made of, how to get rid of it.
#include "case.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <unistd.h>

namespace jail::test {
namespace {

// Powers a root launcher may lack in a container.
const Errors kNoPower = {"EPERM", "EACCES"};

// So that a control may mount and unmount: a namespace of its own, where {read} and /tmp are mounts. Without root the
// attack is tried all the same and the control is left out.
void own_mounts(const Scene& scene) {
  const std::string read = scene.at("{read}");
  if (::unshare(CLONE_NEWNS) != 0) return;
  ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr);
  ::mount(read.c_str(), read.c_str(), nullptr, MS_BIND, nullptr);
  ::mount("/tmp", "/tmp", nullptr, MS_BIND | MS_REC, nullptr);
}

void add_mounting(std::vector<Case>& table) {
  const std::pair<std::string, std::vector<std::string>> attacks[] = {
      {"mount_tmpfs", {"mount", "tmpfs", "{write}"}},
      {"mount_proc", {"mount", "proc", "{write}"}},
      {"mount_overlay", {"mount", "overlay", "{write}", "lowerdir={read}:{secret}"}},
      {"mount_fuse", {"mount", "fuse", "{write}", "fd=0,rootmode=40000,user_id=0,group_id=0"}},
      {"nested_mount", {"nested-mount", "{write}"}},
      {"remount_read_grant", {"remount-rw", "{read}"}},
      {"remount_root", {"remount-rw", "/"}},
      {"umount_read_grant", {"umount", "{read}"}},
      {"umount_tmp", {"umount", "/tmp"}},
      {"umount_proc", {"umount", "/proc"}},
      {"open_tree_clone", {"open-tree", "{read}"}},
      {"chroot_climb", {"chroot-climb", "{write}"}},
  };
  for (const auto& [name, attack] : attacks) {
    table.push_back({.name = name,
                     .attack = attack,
                     .errors = kFiltered,
                     .control = name == "mount_fuse" ? no_control("it needs an open /dev/fuse")
                                                     : as_root_where_supported(kNoPower),
                     .event = "privilege.attempt",
                     .prepare = own_mounts});
  }
  for (const std::string kind : {"char", "block"})
    table.push_back({.name = "mknod_" + kind,
                     .attack = {"device", "{write}/device", kind},
                     .errors = {"EPERM", "EACCES"},
                     .control = as_root_where_supported(kNoPower),
                     .event = "syscall.denied"});
}

void add_flags(std::vector<Case>& table) {
  const Control host = no_control("the host's own mounts have other flags");
  for (const std::string flag : {"nosuid", "nodev", "private"})
    table.push_back({.name = "every_mount_is_" + flag, .attack = {"lost-flag", flag},
                     .control = flag == "private" ? host : outside()});
  const std::pair<std::string, std::vector<std::string>> places[] = {
      {"root_is_read_only", {"/", "ro"}},       {"dev_is_read_only", {"/dev", "ro"}},
      {"tmp_is_noexec", {"/tmp", "noexec"}},    {"shm_is_noexec", {"/dev/shm", "noexec"}},
      {"write_is_noexec", {"{write}", "noexec"}}, {"read_is_noexec", {"{read}", "noexec"}},
      {"read_is_read_only", {"{read}", "ro"}},  {"proc_is_noexec", {"/proc", "noexec"}},
  };
  for (const auto& [name, words] : places)
    table.push_back({.name = name, .attack = {"mount-lacks", words[0], words[1]}, .control = host});
  for (const auto& [name, place] :
       std::map<std::string, std::string>{{"root", "/"}, {"dev", "/dev/"}, {"proc", "/proc/"}, {"etc", "/etc/"}})
    table.push_back({.name = "create_in_" + name,
                     .attack = {"change-by", "create", place + "jail-test"},
                     .errors = {"EROFS", "EACCES", "ENOENT", "EPERM"},
                     .control = no_control("the host's own folders")});
  table.push_back({.name = "mkdir_in_root", .attack = {"change-by", "mkdir", "/jail-test"},
                   .errors = {"EROFS", "EACCES", "EPERM"}, .control = no_control("the host's own folders")});
}

// SECURITY C13, and what else a host shows.
void add_absent(std::vector<Case>& table) {
  const std::pair<std::string, std::string> places[] = {
      {"core_pattern", "/proc/sys/kernel/core_pattern"}, {"proc_sys", "/proc/sys/kernel/hostname"},
      {"kcore", "/proc/kcore"},           {"sysrq", "/proc/sysrq-trigger"},   {"proc_keys", "/proc/keys"},
      {"kallsyms", "/proc/kallsyms"},     {"kmsg", "/proc/kmsg"},             {"timer_list", "/proc/timer_list"},
      {"modules", "/proc/modules"},       {"cmdline", "/proc/cmdline"},       {"interrupts", "/proc/interrupts"},
      {"proc_bus", "/proc/bus"},          {"proc_fs", "/proc/fs"},            {"vmallocinfo", "/proc/vmallocinfo"},
      {"sys", "/sys"},                    {"cgroup", "/sys/fs/cgroup"},       {"sys_kernel", "/sys/kernel"},
      {"dev_mem", "/dev/mem"},            {"dev_kmsg", "/dev/kmsg"},          {"dev_fuse", "/dev/fuse"},
      {"dev_kvm", "/dev/kvm"},            {"dev_tun", "/dev/net/tun"},        {"dev_vsock", "/dev/vsock"},
      {"dev_userfaultfd", "/dev/userfaultfd"}, {"dev_console", "/dev/console"}, {"dev_vda", "/dev/vda"},
      {"dev_loop", "/dev/loop-control"},  {"dev_mqueue", "/dev/mqueue"},      {"passwd", "/etc/passwd"},
      {"shadow", "/etc/shadow"},          {"hostname", "/etc/hostname"},      {"machine_id", "/etc/machine-id"},
      {"root_home", "/root"},             {"homes", "/home"},                 {"run", "/run"},
      {"var", "/var/log"},                {"boot", "/boot"},                  {"mnt", "/mnt"},
  };
  for (const auto& [name, path] : places)
    table.push_back({.name = "absent_" + name,
                     .attack = {"read-by", "access", path},
                     .errors = kNotThere,
                     .control = as_root_where_supported({"ENOENT"}),
                     .event = "file.open"});
}

void make_hidden(Scene& scene) {
  scene.make_folder("{write}/keys");
  scene.write_file("{write}/keys/private", "hidden-secret", 0644);
  EXPECT_EQ(::symlink(scene.at("{read}/folder").c_str(), scene.at("{read}/way").c_str()), 0);
  scene.own(scene.at("{read}/way"));
}

// The scene's own folders are such that the host may change them; a build may refuse to hide there at all
// (DECISIONS 8), which is as good as denying: said by name in the result.
void add_hidden(std::vector<Case>& table) {
  const Profile by_name = {.hide = {"{read}/folder/inner"}}, by_folder = {.hide = {"{read}/folder"}};
  const Profile by_link = {.hide = {"{read}/way/inner"}}, in_write = {.hide = {"{write}/keys"}};
  const std::tuple<std::string, std::vector<std::string>, Profile> attacks[] = {
      {"file_open", {"read-by", "open", "{read}/folder/inner"}, by_name},
      {"file_opath", {"read-by", "o_path", "{read}/folder/inner"}, by_name},
      {"file_parent", {"read-by", "parent-fd", "{read}/folder/inner"}, by_name},
      {"file_through_link", {"read-by", "open", "{read}/way/inner"}, by_name},
      {"file_hidden_through_link", {"read-by", "open", "{read}/folder/inner"}, by_link},
      {"folder_open", {"read-by", "open", "{read}/folder/inner"}, by_folder},
      {"folder_chdir", {"read-by", "chdir", "{read}/folder/inner"}, by_folder},
      {"folder_through_link", {"read-by", "open", "{read}/way/inner"}, by_folder},
      {"in_write_grant", {"read-by", "open", "{write}/keys/private"}, in_write},
      {"in_write_grant_create", {"change-by", "create", "{write}/keys/private"}, in_write},
      {"in_write_grant_chmod", {"change-by", "chmod", "{write}/keys"}, in_write},
      {"in_write_grant_rename", {"rename", "{write}/keys", "{write}/other"}, in_write},
      {"in_write_grant_link", {"hard-link", "{write}/keys/private", "{write}/alias"}, in_write},
  };
  const std::map<std::string, std::string> others = {{"in_write_grant_chmod", "file.metadata"},
                                                     {"in_write_grant_rename", "file.rename"},
                                                     {"in_write_grant_link", "file.link"}};
  for (const auto& [name, attack, profile] : attacks)
    table.push_back({.name = "hidden_" + name,
                     .attack = attack,
                     .errors = {"ENOENT", "EACCES", "EROFS", "EPERM", "ENODATA", "EBUSY", "EXDEV", "ENOTDIR"},
                     .expect = Expect::DeniedOrRefused,
                     .profile = profile,
                     .control = outside(),
                     .event = others.contains(name) ? others.at(name) : "file.open",
                     .setup = make_hidden});
  table.push_back({.name = "hidden_missing_is_created",
                   .attack = {"change-by", "mkdir", "{write}/later"},
                   .errors = kReadOnly,
                   .expect = Expect::DeniedOrRefused,
                   .profile = {.hide = {"{write}/later.dir"}},
                   .control = outside()});
}

void copy_true(Scene& scene) {
  for (const std::string place : {"{read}/true", "{write}/true"}) {
    std::filesystem::copy_file("/usr/bin/true", scene.at(place));
    std::filesystem::permissions(scene.at(place), std::filesystem::perms{0755});
    scene.own(scene.at(place));
  }
  std::filesystem::copy_file(scene.at("{attacker}"), scene.at("{read}/attacker"));
  std::filesystem::copy_file(scene.at("{attacker}"), scene.at("{bin}/second"));
}

// Linux 6.3. Before, the call itself fails, and nothing is run.
bool kernel_knows_noexec_seal() {
  constexpr unsigned kNoexecSeal = 8;  // MFD_NOEXEC_SEAL
  const int fd = ::memfd_create("probe", kNoexecSeal);
  if (fd >= 0) (void)::close(fd);
  return fd >= 0;
}

std::string event_of_run(const std::string& name) {
  if (name == "mprotect_write_grant") return "";  // which file a mapping is of, no register of mprotect(2) says
  if (name.starts_with("map_") || name.starts_with("loader_")) return "file.open";
  const bool sealed = name.find("noexec") != std::string::npos;
  if (sealed && !kernel_knows_noexec_seal()) return "";
  return (name.starts_with("memfd") && !sealed) || name == "execveat_in_strict" ? "syscall.denied" : "process.exec";
}

// SECURITY C8: which files run. `libraries` may be mapped, not started.
void add_code(std::vector<Case>& table) {
  const Profile dynamic = {.more = "extends: [base]\n"};
  const Profile dynamic_true = {.exec = {"/usr/bin/true"}, .more = "extends: [base]\n"};
  const Profile library = {.libraries = {"{bin}"}};
  const Profile strict = {.more = "syscalls:\n  default: strict\n"};
  const std::tuple<std::string, std::vector<std::string>, Profile> attacks[] = {
      {"copy_in_write_grant", {"run-copy", "{write}/copy"}, {}},
      {"copy_in_tmp", {"run-copy", "/tmp/jail-escape-copy"}, {}},
      {"copy_in_shm", {"run-copy", "/dev/shm/jail-escape-copy"}, {}},
      {"file_in_read_grant", {"run-file", "{read}/attacker"}, {}},
      {"file_in_library_grant", {"run-file", "{bin}/second"}, library},
      {"memfd", {"run-memory", "0"}, {}},
      {"memfd_cloexec", {"run-memory", "1"}, {}},
      {"memfd_sealing", {"run-memory", "2"}, {}},
      {"memfd_noexec_seal", {"run-memory", "8"}, {}},
      {"memfd_by_path", {"run-memory-by-path", "0"}, {}},
      {"memfd_noexec_by_path", {"run-memory-by-path", "8"}, {}},
      {"execveat_in_read_grant", {"run-descriptor", "{read}/attacker"}, {}},
      {"execveat_in_strict", {"run-descriptor", "{attacker}"}, strict},
      {"loader_read_grant", {"run-by-loader", "/lib64/ld-linux-x86-64.so.2", "{read}/true"}, dynamic_true},
      {"loader_write_grant", {"run-by-loader", "/lib64/ld-linux-x86-64.so.2", "{write}/true"}, dynamic_true},
      {"ungranted_program", {"start-file", "/usr/bin/id"}, dynamic},
      {"shell", {"start-file", "/bin/sh"}, dynamic},
      {"map_read_grant", {"map-code", "{read}/attacker"}, {}},
      {"map_write_grant", {"map-code", "{write}/true"}, {}},
      {"mprotect_write_grant", {"protect-code", "{write}/true"}, {}},
  };
  for (const auto& [name, attack, profile] : attacks) {
    const bool seal = name.find("noexec") != std::string::npos;  // MFD_NOEXEC_SEAL: not to be run outside either
    const bool machine_path = name == "copy_in_tmp" || name == "copy_in_shm";
    table.push_back({.name = "run_" + name,
                     .attack = attack,
                     .errors = kNotRunnable,
                     .profile = profile,
                     .control = seal           ? no_control("the kernel refuses a sealed memfd everywhere")
                                : machine_path ? no_control("the host's own /tmp and /dev/shm may be noexec")
                                               : outside(),
                     .event = event_of_run(name),
                     .setup = copy_true});
  }
  table.push_back({.name = "library_grant_maps", .attack = {"map-code", "{bin}/second"}, .expect = Expect::Allowed,
                   .profile = library, .setup = copy_true});
  table.push_back({.name = "exec_grant_runs", .attack = {"run-file", "{attacker}"}, .expect = Expect::Allowed});
  table.push_back({.name = "dynamic_program_runs", .attack = {"start-file", "/usr/bin/true"},
                   .expect = Expect::Allowed, .profile = dynamic_true});
}

// The host mounts something below a read-only grant before the jail starts: recursively read-only or not at all.
void add_submount(std::vector<Case>& table) {
  const auto mount_below = [](const Scene& scene) {
    const std::string where = scene.at("{read}/below");
    if (::unshare(CLONE_NEWNS) != 0 || ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("tmpfs", where.c_str(), "tmpfs", 0, "mode=777,size=1m") != 0)
      ::_exit(98);
  };
  const auto make_point = [](Scene& scene) { scene.make_folder("{read}/below"); };
  for (const std::string method : {"create", "mkdir", "tmpfile", "symlink"})
    table.push_back({.name = "submount_" + method,
                     .attack = {"change-by", method, "{read}/below/x"},
                     .errors = kReadOnly,
                     .setup = make_point,
                     .prepare = mount_below});
}

}  // namespace

std::vector<Case> mount_cases() {
  std::vector<Case> table;
  add_mounting(table);
  add_flags(table);
  add_absent(table);
  add_hidden(table);
  add_code(table);
  add_submount(table);
  return table;
}

}  // namespace jail::test
