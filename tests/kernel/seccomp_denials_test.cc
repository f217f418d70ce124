// Refused arguments on the running kernel, each with the call that succeeds without the filter or with other arguments.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/prctl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <termios.h>

#include <filesystem>

#include "seccomp_filtered.h"

namespace jail::confine::seccomp {
namespace {

using test::errno_of;
using test::expect_errno;
using test::under_filter;
using test::unfiltered;

constexpr long kFchmodat2 = 452;  // Linux 6.6
constexpr unsigned kMfdNoexecSeal = 8;

// A folder of whoever runs the check, gone with it.
class Folder {
 public:
  Folder() { check(::mkdtemp(path_.data()) == nullptr ? -1 : 0, "mkdtemp", path_); }
  Folder(const Folder&) = delete;
  ~Folder() { std::filesystem::remove_all(path_); }
  std::string file(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_ = "/tmp/jail-seccomp-XXXXXX";
};

// Every way to give a file a mode, with this mode; a fresh folder for each run, since files are made.
std::string gives_modes(mode_t mode, int wanted) {
  const Folder folder;
  const auto path = [&folder](const char* name) { return folder.file(name); };
  const std::string file = path("file");
  const int fd = ::open(file.c_str(), O_CREAT | O_RDWR, 0600);
  std::string wrong;
  const auto expect = [&](const char* what, int got) { wrong += expect_errno(what, got, wanted); };
  expect("chmod", errno_of(SYS_chmod, file.c_str(), mode));
  expect("fchmod", errno_of(SYS_fchmod, fd, mode));
  expect("fchmodat", errno_of(SYS_fchmodat, AT_FDCWD, file.c_str(), mode));
  if (const int got = errno_of(kFchmodat2, AT_FDCWD, file.c_str(), mode, 0); got != ENOSYS) expect("fchmodat2", got);
  expect("open", errno_of(SYS_open, path("a").c_str(), O_CREAT | O_WRONLY, mode));
  expect("openat", errno_of(SYS_openat, AT_FDCWD, path("b").c_str(), O_CREAT | O_WRONLY, mode));
  expect("O_TMPFILE", errno_of(SYS_openat, AT_FDCWD, path("").c_str(), O_TMPFILE | O_WRONLY, mode));
  expect("creat", errno_of(SYS_creat, path("c").c_str(), mode));
  expect("mknod", errno_of(SYS_mknod, path("d").c_str(), S_IFREG | mode, 0));
  expect("mknodat", errno_of(SYS_mknodat, AT_FDCWD, path("e").c_str(), S_IFREG | mode, 0));
  expect("mkdir", errno_of(SYS_mkdir, path("f").c_str(), mode));
  expect("mkdirat", errno_of(SYS_mkdirat, AT_FDCWD, path("g").c_str(), mode));
  return wrong;
}

TEST(SeccompDenials, SetIdBitsAreRefusedWhereverAModeIsGiven) {
  for (const mode_t mode : {04755U, 02755U, 06700U}) {
    EXPECT_EQ(under_filter([mode] { return gives_modes(mode, EPERM); }), "") << std::oct << mode;
    EXPECT_EQ(under_filter([mode] { return gives_modes(mode, EPERM); }, test::Who::AsIs), "") << std::oct << mode;
    EXPECT_EQ(unfiltered([mode] { return gives_modes(mode, 0); }), "") << std::oct << mode;
  }
  EXPECT_EQ(under_filter([] { return gives_modes(0755, 0); }), "");
  EXPECT_EQ(under_filter([] { return gives_modes(01777, 0); }), "");
}

TEST(SeccompDenials, GarbageAboveAnIntEvadesNothing) {
  EXPECT_EQ(under_filter([] {
              const Folder folder;
              return expect_errno("mkdir", errno_of(SYS_mkdir, folder.file("x").c_str(), 0xdeadbeef00000000 | 04755),
                                  EPERM);
            }),
            "");
}

TEST(SeccompDenials, Openat2IsAbsent) {
  const auto openat2 = [] { return errno_of(SYS_openat2, AT_FDCWD, "/", nullptr, 0L); };
  EXPECT_EQ(unfiltered([&] { return expect_errno("openat2", openat2(), EINVAL); }), "");
  EXPECT_EQ(under_filter([&] { return expect_errno("openat2", openat2(), ENOSYS); }), "");
}

int memfd(unsigned flags) { return static_cast<int>(::syscall(SYS_memfd_create, "test", flags)); }

// Copies /bin/true into a memfd and runs it; the status of what ran, or the errno of the refusal.
int run_from_memory(unsigned flags) {
  const int file = memfd(flags);
  if (file < 0) return errno;
  const int original = ::open("/bin/true", O_RDONLY);
  struct stat status {};
  if (::fstat(original, &status) != 0 ||
      ::sendfile(file, original, nullptr, static_cast<std::size_t>(status.st_size)) < 0)
    return errno;
  return test::in_child([file]() -> bool {
    char* const arguments[] = {nullptr};
    (void)::syscall(SYS_execveat, file, "", arguments, arguments, AT_EMPTY_PATH);
    ::_exit(errno);
  });
}

TEST(SeccompDenials, AMemfdIsMadeOnlyWhenItCannotRun) {
  if (!probe().memfd_noexec_seal) GTEST_SKIP() << "this kernel does not know MFD_NOEXEC_SEAL (Linux 6.3)";
  EXPECT_EQ(unfiltered([] { return expect_errno("from memory", run_from_memory(MFD_CLOEXEC), 0); }), "");
  EXPECT_EQ(under_filter([] {
              return expect_errno("executable", run_from_memory(MFD_CLOEXEC), EPERM) +
                     expect_errno("MFD_EXEC", run_from_memory(0x10), EPERM) +
                     expect_errno("sealed", run_from_memory(MFD_CLOEXEC | kMfdNoexecSeal), EACCES);
            }),
            "");
}

TEST(SeccompDenials, ExecByDescriptorIsRefusedInStrict) {
  const auto run = [] {
    return test::in_child([]() -> bool {
      char name[] = "true";
      char* const arguments[] = {name, nullptr};
      const int file = ::open("/bin/true", O_PATH);
      (void)::syscall(SYS_execveat, file, "", arguments, arguments + 1, AT_EMPTY_PATH);
      ::_exit(errno);
    });
  };
  profile::Syscalls strict;
  strict.set.value = profile::SyscallSet::Strict;
  EXPECT_EQ(under_filter([&] { return expect_errno("standard", run(), 0); }), "");
  EXPECT_EQ(under_filter(plan(strict), [&] { return expect_errno("strict", run(), EPERM); }), "");
}

TEST(SeccompDenials, PersonalityStaysPlain) {
  const auto set = [](unsigned persona) { return errno_of(SYS_personality, persona); };
  EXPECT_EQ(unfiltered([&] { return expect_errno("set", set(ADDR_NO_RANDOMIZE), 0); }), "");
  EXPECT_EQ(under_filter([&] {
              return expect_errno("set", set(ADDR_NO_RANDOMIZE), EPERM) + expect_errno("plain", set(PER_LINUX), 0) +
                     expect_errno("ask", set(0xffffffff), 0);
            }),
            "");
}

TEST(SeccompDenials, TheMonitorCannotBeBlindedByPrctl) {
  const auto control = [](int option, long value) { return errno_of(SYS_prctl, option, value, 0L, 0L, 0L); };
  EXPECT_EQ(unfiltered([&] { return expect_errno("undumpable", control(PR_SET_DUMPABLE, 0), 0); }), "");
  EXPECT_EQ(under_filter([&] {
              return expect_errno("undumpable", control(PR_SET_DUMPABLE, 0), EPERM) +
                     expect_errno("dumpable", control(PR_SET_DUMPABLE, 1), 0) +
                     expect_errno("PR_SET_MM", control(PR_SET_MM, PR_SET_MM_BRK), EPERM) +
                     expect_errno("PR_SET_PDEATHSIG", control(PR_SET_PDEATHSIG, 9), 0);
            }),
            "");
}

TEST(SeccompDenials, NothingIsTypedIntoATerminal) {
  const auto control = [](unsigned long request) { return errno_of(SYS_ioctl, -1, request, 0L); };
  for (const unsigned long request : {TIOCSTI, TIOCLINUX, TIOCSETD}) {
    EXPECT_EQ(unfiltered([&] { return expect_errno("ioctl", control(request), EBADF); }), "");
    EXPECT_EQ(under_filter([&] { return expect_errno("ioctl", control(request), EPERM); }), "");
    EXPECT_EQ(under_filter([&] { return expect_errno("ioctl", control(request | 0xff00000000), EPERM); }), "");
  }
  EXPECT_EQ(under_filter([&] { return expect_errno("TCGETS", control(TCGETS), EBADF); }), "");
}

TEST(SeccompDenials, APluginMayFilterItselfButNotListen) {
  const auto filter = [](unsigned flags) {
    sock_filter allow[] = {{BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW}};
    const sock_fprog program{1, allow};
    return errno_of(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
  };
  EXPECT_EQ(under_filter([&] {
              return expect_errno("filter", filter(0), 0) +
                     expect_errno("listener", filter(SECCOMP_FILTER_FLAG_NEW_LISTENER), EBUSY);
            }),
            "");
  EXPECT_EQ(unfiltered([&] {
              (void)::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
              return expect_errno("listener", filter(SECCOMP_FILTER_FLAG_NEW_LISTENER), 0);
            }),
            "");
}

TEST(SeccompDenials, OtherProcessesMemoryIsOutOfReach) {
  const auto kcmp = [] { return errno_of(SYS_kcmp, ::getpid(), ::getpid(), 0, 0L, 0L); };
  EXPECT_EQ(under_filter([&] {
              return expect_errno("ptrace", errno_of(SYS_ptrace, 0, 0, 0, 0), EPERM) +
                     expect_errno("kcmp", kcmp(), EPERM);
            }),
            "");
  EXPECT_EQ(unfiltered([] { return expect_errno("ptrace", errno_of(SYS_ptrace, 0, 0, 0, 0), 0); }), "");
}

// Without a mount view, a pid namespace or an IPC namespace the filter stands in.
TEST(SeccompGaps, AreClosedWhereTheyAreStatedAndOnlyThere) {
  const auto tries = [](int wanted) {
    const Folder folder;
    const std::string file = folder.file("x");
    const int fd = ::open(file.c_str(), O_CREAT | O_RDWR, 0600);
    const rlimit same{1024, 1024};
    return expect_errno("chmod", errno_of(SYS_chmod, file.c_str(), 0700), wanted) +
           expect_errno("fchown", errno_of(SYS_fchown, fd, -1, -1), wanted) +
           expect_errno("truncate", errno_of(SYS_truncate, file.c_str(), 0L), wanted) +
           expect_errno("O_TRUNC", errno_of(SYS_openat, AT_FDCWD, file.c_str(), O_RDONLY | O_TRUNC, 0), wanted) +
           expect_errno("kill", errno_of(SYS_kill, ::getpid(), 0), wanted) +
           expect_errno("F_SETOWN", errno_of(SYS_fcntl, fd, F_SETOWN, ::getpid()), wanted) +
           expect_errno("prlimit64", errno_of(SYS_prlimit64, ::getpid(), RLIMIT_NOFILE, &same, 0L), wanted) +
           expect_errno("shmget", errno_of(SYS_shmget, 0, 4096, 0600), wanted);
  };
  const Options gaps{.gaps = {Gap::PathMetadata, Gap::Truncate, Gap::Signals, Gap::Processes, Gap::Ipc}};
  EXPECT_EQ(under_filter([&] { return tries(0); }), "");
  EXPECT_EQ(under_filter(plan({}, gaps), [&] { return tries(EPERM); }), "");
}

}  // namespace
}  // namespace jail::confine::seccomp
