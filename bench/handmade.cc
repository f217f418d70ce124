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

int main(int argc, char** argv) {
  using namespace jail;
  if (argc < 3) return 2;
  const int abi = sys::landlock_abi();
  const std::uint64_t rights = confine::landlock::known_to(confine::landlock::kRights, abi);
  const std::uint64_t scopes = confine::landlock::known_to(confine::landlock::kScopes, abi);
  const Fd ruleset = sys::landlock_create_ruleset({.filesystem = rights, .network = 0, .scopes = scopes});
  for (const char* folder : {static_cast<const char*>(argv[1]), "/tmp"})
    sys::landlock_allow_beneath(ruleset, sys::open_at(folder, O_PATH, sys::Resolve::Anything), rights, folder);
  sys::set_no_new_privileges();
  sys::landlock_restrict_self(ruleset, 0);
  const confine::seccomp::Program filter = confine::seccomp::compile(confine::seccomp::plan({}));
  if (confine::seccomp::enforce(filter) < 0) return 1;
  ::execv(argv[2], argv + 2);
  std::perror(argv[2]);
  return 1;
}
