// The rival of the per-call measurement: a program that does by hand, and without namespaces, what costs per call in a
// jail: one Landlock domain with a rule on the folder, and the same filter. Usage: bench_handmade FOLDER PROGRAM ARG...
#include <fcntl.h>
#include <unistd.h>

#include <cstdio>

#include "confine/landlock.h"
#include "confine/landlock_rights.h"
#include "confine/seccomp.h"
#include "sys/file.h"
#include "sys/landlock.h"
#include "sys/process.h"

// As many rules as a jail of the python template has: each step up a path is a search among them.
constexpr const char* kOthers[] = {"/etc/alternatives",
                                   "/etc/debian_version",
                                   "/etc/fstab",
                                   "/etc/group",
                                   "/etc/hostname",
                                   "/etc/hosts",
                                   "/etc/ld.so.cache",
                                   "/etc/networks",
                                   "/etc/nsswitch.conf",
                                   "/etc/passwd",
                                   "/etc/profile",
                                   "/etc/shells",
                                   "/etc/ssl/certs",
                                   "/usr/lib64",
                                   "/usr/local/lib",
                                   "/usr/bin/python3.11",
                                   "/usr/lib",
                                   "/dev/null",
                                   "/dev/zero",
                                   "/dev/full",
                                   "/dev/random",
                                   "/dev/urandom",
                                   "/dev/tty",
                                   "/dev/pts",
                                   "/dev/shm",
                                   "/proc",
                                   "/var",
                                   "/opt",
                                   "/srv"};
// Reading only: whether a file may be truncated is asked at open, too, and an answer "yes" would end the search early.
constexpr std::uint64_t kReadFile = 1ULL << 2;
constexpr std::uint64_t kReadDir = 1ULL << 3;

int main(int argc, char** argv) {
  using namespace jail;
  if (argc < 3) return 2;
  const int abi = sys::landlock_abi();
  const std::uint64_t rights = confine::landlock::known_to(confine::landlock::kRights, abi);
  const std::uint64_t scopes = confine::landlock::known_to(confine::landlock::kScopes, abi);
  const Fd ruleset = sys::landlock_create_ruleset({.filesystem = rights, .network = 0, .scopes = scopes});
  sys::landlock_allow_beneath(ruleset, sys::open_at(argv[1], O_PATH, sys::Resolve::Anything), kReadFile | kReadDir,
                              argv[1]);
  sys::landlock_allow_beneath(ruleset, sys::open_at("/tmp", O_PATH, sys::Resolve::Anything), rights, "/tmp");
  for (const char* more : kOthers) {
    int error = 0;
    const Fd opened = sys::try_open_at(AT_FDCWD, more, O_PATH, sys::Resolve::Anything, error);
    if (opened) sys::landlock_allow_beneath(ruleset, opened, kReadFile, more);
  }
  sys::set_no_new_privileges();
  sys::landlock_restrict_self(ruleset, 0);
  const confine::seccomp::Program filter = confine::seccomp::compile(confine::seccomp::plan({}));
  if (confine::seccomp::enforce(filter) < 0) return 1;
  ::execv(argv[2], argv + 2);
  std::perror(argv[2]);
  return 1;
}
