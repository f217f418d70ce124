// The table against what others know: libseccomp's numbers and names, systemd's groups.
#include <gtest/gtest.h>
#include <seccomp.h>
#include <sys/syscall.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "confine/syscall_table.h"

namespace jail::confine::seccomp {
namespace {

std::string libseccomp_name(std::uint32_t number) {
  const std::unique_ptr<char, decltype(&std::free)> name(
      ::seccomp_syscall_resolve_num_arch(SCMP_ARCH_X86_64, static_cast<int>(number)), &std::free);
  return name ? name.get() : "";
}

TEST(SyscallTable, AgreesWithLibseccompOnEveryNumberThatKnowsIt) {
  int known = 0;
  for (std::uint32_t number = 0; number < 1024; ++number) {
    const std::string theirs = libseccomp_name(number);
    if (theirs.empty()) continue;
    ++known;
    EXPECT_EQ(name_of(number).value_or("nothing"), theirs) << number;
  }
  EXPECT_GE(known, 361);  // libseccomp 2.5.4: those of Linux 5.17
}

TEST(SyscallTable, AgreesWithLibseccompOnEveryNameThatItKnows) {
  for (const Row& row : rows()) {
    const int theirs = ::seccomp_syscall_resolve_name_arch(SCMP_ARCH_X86_64, std::string(row.name).c_str());
    if (theirs == __NR_SCMP_ERROR) continue;  // newer than the library
    EXPECT_EQ(theirs, static_cast<int>(row.number)) << row.name;
  }
}

TEST(SyscallTable, HasTheNewestNumbers) {
  EXPECT_EQ(name_of(451), "cachestat");
  EXPECT_EQ(name_of(452), "fchmodat2");
  EXPECT_EQ(name_of(462), "mseal");
  EXPECT_EQ(name_of(471), "rseq_slice_yield");
  EXPECT_EQ(name_of(kTableEnd), std::nullopt);
  EXPECT_EQ(name_of(400), std::nullopt);
}

TEST(SyscallTable, FindsARowByNumberAndByName) {
  for (const Row& row : rows()) {
    EXPECT_EQ(find_row(row.number), &row);
    EXPECT_EQ(find_row(row.name), &row);
  }
  EXPECT_EQ(find_row("opne"), nullptr);
  EXPECT_EQ(find_row("@mount"), nullptr);
}

TEST(SyscallTable, SuggestsTheNearestName) {
  EXPECT_EQ(nearest_name("sokcet"), "socket");
  EXPECT_EQ(nearest_name("keyring"), "@keyring");
  EXPECT_EQ(nearest_name("@netwrk-io"), "@network-io");
  EXPECT_EQ(nearest_name("frobnicate"), "");
}

// systemd's groups as the installed systemd prints them: "@name", then members, one a line.
std::map<std::string, std::set<std::string>> systemd_groups() {
  std::map<std::string, std::set<std::string>> groups;
  const std::unique_ptr<FILE, decltype(&::pclose)> output(
      ::popen("systemd-analyze --no-pager syscall-filter 2>/dev/null", "r"), &::pclose);
  std::string group;
  std::array<char, 512> line{};
  while (output && std::fgets(line.data(), line.size(), output.get()) != nullptr) {
    std::string text(line.data());
    text.erase(text.find_last_not_of(" \n") + 1);
    const std::size_t indent = text.find_first_not_of(' ');
    if (indent == std::string::npos || text[indent] == '#') continue;
    if (indent == 0) group = text;
    else groups[group].insert(text.substr(indent));
  }
  return groups;
}

bool contains(const std::map<std::string, std::set<std::string>>& groups, const std::string& group,
              const std::string& call) {
  const auto found = groups.find(group);
  if (found == groups.end()) return false;
  for (const std::string& member : found->second)
    if (member == call || (member.starts_with('@') && contains(groups, member, call))) return true;
  return false;
}

TEST(SyscallTable, HasTheGroupsOfSystemd) {
  const auto theirs = systemd_groups();
  if (theirs.empty()) GTEST_SKIP() << "no systemd-analyze on this machine";
  constexpr std::uint32_t kFirstNewerThanSystemd252 = 453;
  for (const auto& [name, members] : theirs) {
    const Group* const ours = find_group(name);
    ASSERT_NE(ours, nullptr) << name;
    if (name == "@known") continue;  // ours is every row
    for (const Row& row : rows()) {
      const bool member = contains(theirs, name, std::string(row.name));
      const bool placed_by_us =
          row.number >= kFirstNewerThanSystemd252 || !contains(theirs, "@known", std::string(row.name));
      if (member || !placed_by_us) {
        // In no group of systemd 252 but these: we say where they belong.
        static const std::set<std::string_view> ungrouped{"uprobe", "process_mrelease", "cachestat"};
        if (!ungrouped.contains(row.name)) {
          EXPECT_EQ(is_member(row, *ours), member) << name << " " << row.name;
        }
      }
    }
  }
}

// A check that one call has and its sibling has not is no check.
TEST(SyscallTable, LeavesNoSiblingUnchecked) {
  const std::vector<std::vector<std::string_view>> families{
      {"open", "openat", "openat2", "creat", "open_by_handle_at"},
      {"chmod", "fchmod", "fchmodat", "fchmodat2"},
      {"mkdir", "mkdirat", "mknod", "mknodat"},
      {"chown", "fchown", "lchown", "fchownat"},
      {"setxattr", "lsetxattr", "fsetxattr", "setxattrat", "removexattr", "lremovexattr", "fremovexattr",
       "removexattrat", "file_setattr"},
      {"utime", "utimes", "futimesat", "utimensat"},
      {"sendto", "sendmsg", "sendmmsg"},
      {"socket", "socketpair"},
      {"clone", "clone3", "unshare", "setns"},
      {"kill", "tkill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo", "pidfd_send_signal"},
      {"memfd_create", "memfd_secret"},
      {"io_uring_setup", "io_uring_enter", "io_uring_register"},
      {"process_vm_readv", "process_vm_writev", "ptrace", "pidfd_getfd", "process_madvise"},
      {"mount", "umount2", "pivot_root", "chroot", "open_tree", "open_tree_attr", "move_mount", "fsopen", "fsconfig",
       "fsmount", "fspick", "mount_setattr"},
      {"shmget", "shmat", "shmctl", "shmdt", "semget", "semop", "semtimedop", "semctl", "msgget", "msgsnd", "msgrcv",
       "msgctl", "mq_open", "mq_unlink"},
      {"sched_setaffinity", "sched_setscheduler", "sched_setparam", "sched_setattr", "setpriority", "ioprio_set",
       "prlimit64"},
  };
  for (const auto& family : families)
    for (const std::string_view name : family) {
      const Row* const row = find_row(name);
      ASSERT_NE(row, nullptr) << name;
      EXPECT_TRUE(!row->checks.empty() || row->standard != kAllow) << name;
    }
}

}  // namespace
}  // namespace jail::confine::seccomp
