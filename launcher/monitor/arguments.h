// What a program is to be started with: the texts that a call of execve(2) points to. They lie in memory that the
// caller, its threads and whoever shares it may change until the kernel has copied them, so this is what was asked for
// when the call was looked at, and not proof of what ran.
#pragma once

#include <linux/seccomp.h>

#include <string>
#include <vector>

#include "monitor/caller.h"

namespace jail::monitor {

struct Arguments {
  static constexpr std::size_t kMost = 64;
  static constexpr std::size_t kMostBytes = 4096;  // of all of them, their zero bytes included

  // Each is whole: of one that is cut, the redactor would not know a secret any more.
  std::vector<std::string> texts{};
  bool cut = false;  // there are more, or some cannot be read
};

Arguments read_arguments(const Caller& caller, const seccomp_data& execve_or_execveat);

}  // namespace jail::monitor
