#include "run/passed.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

namespace jail::run {
namespace {

const char* kind_of(mode_t mode) {
  switch (mode & S_IFMT) {
    case S_IFREG: return "file";
    case S_IFIFO: return "pipe";
    case S_IFSOCK: return "socket";
    case S_IFCHR: return "character device";
    case S_IFBLK: return "block device";
    default: return "kernel object";
  }
}

const char* access_of(int flags) {
  switch (flags & O_ACCMODE) {
    case O_RDONLY: return "read";
    case O_WRONLY: return "write";
    default: return "read and write";
  }
}

std::string problem_with(int number, int flags, const struct stat& status) {
  const std::string name = "--pass-fd " + std::to_string(number);
  if (number <= STDERR_FILENO) return name + ": 0, 1 and 2 are passed by rules of their own";
  if (flags < 0) return name + " is not open";
  if (S_ISDIR(status.st_mode)) return name + " is a folder: the plugin could walk from it to what no grant names";
  if ((flags & O_PATH) != 0) return name + " is a path that was never opened (O_PATH)";
  return {};
}

}  // namespace

PassedPlan plan_passed(std::vector<int> numbers) {
  PassedPlan plan;
  std::sort(numbers.begin(), numbers.end());
  numbers.erase(std::unique(numbers.begin(), numbers.end()), numbers.end());
  for (const int number : numbers) {
    struct stat status {};
    const int flags = ::fcntl(number, F_GETFL);
    if (flags >= 0) (void)::fstat(number, &status);
    if (plan.problem.empty()) plan.problem = problem_with(number, flags, status);
    plan.seen.push_back(std::to_string(number) + ": " + kind_of(status.st_mode) + ", " + access_of(flags));
  }
  plan.numbers = std::move(numbers);
  return plan;
}

}  // namespace jail::run
