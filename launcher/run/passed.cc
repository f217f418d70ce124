#include "run/passed.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>

#include "sys/file.h"
#include "sys/terminal.h"

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

int socket_option(int number, int option) {
  int value = -1;
  socklen_t size = sizeof value;
  return ::getsockopt(number, SOL_SOCKET, option, &value, &size) == 0 ? value : -1;
}

// ", /srv/data" for what has a place in the file system.
std::string place_of(int number) {
  const std::string link = "/proc/self/fd/" + std::to_string(number);
  int error = 0;
  const Fd itself = sys::try_open_at(AT_FDCWD, link.c_str(), O_PATH | O_NOFOLLOW, sys::Resolve::Anything, error);
  const std::string place = itself ? sys::read_link(itself) : "";
  return place.starts_with('/') ? ", " + place : "";
}

// A socket stays in the network it was made in, and all but a connected stream of AF_UNIX can be pointed elsewhere:
// connect(2) to AF_UNSPEC undoes a TCP connection.
bool leads_to_the_hosts_network(int number) {
  const int type = socket_option(number, SO_TYPE);
  return socket_option(number, SO_DOMAIN) != AF_UNIX || (type != SOCK_STREAM && type != SOCK_SEQPACKET);
}

bool is_of_the_kernels_own(int number) {
  struct statfs filesystem {};
  if (::fstatfs(number, &filesystem) != 0) return true;
  constexpr decltype(filesystem.f_type) kNamespaces = 0x6e736673;  // NSFS_MAGIC
  return filesystem.f_type == PROC_SUPER_MAGIC || filesystem.f_type == SYSFS_MAGIC || filesystem.f_type == kNamespaces;
}

// What the thing itself would open up, whichever way it is open.
std::string problem_with_kind(int number, mode_t mode) {
  if (S_ISDIR(mode)) return "is a folder: the plugin could walk from it to what no grant names";
  if ((mode & S_IFMT) == 0) return "is a kernel object, and some of them act past every layer";
  if (S_ISCHR(mode) && sys::is_terminal(number)) return "is a terminal, which it gets by way of 0, 1 and 2";
  if (S_ISSOCK(mode) && leads_to_the_hosts_network(number))
    return "is a socket of the host's network, and with it the plugin could reach all of that";
  if (!S_ISSOCK(mode) && !S_ISFIFO(mode) && is_of_the_kernels_own(number))
    return "belongs to /proc, /sys or a namespace of the host's";
  return {};
}

std::string problem_with(int number, int flags, const struct stat& status) {
  const std::string name = "--pass-fd " + std::to_string(number);
  if (number <= STDERR_FILENO) return name + ": 0, 1 and 2 are passed by rules of their own";
  if (flags < 0) return name + " is not open";
  if ((flags & O_PATH) != 0) return name + " is a path that was never opened (O_PATH)";
  const std::string problem = problem_with_kind(number, status.st_mode);
  return problem.empty() ? "" : name + " " + problem;
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
    plan.seen.push_back(std::to_string(number) + ": " + kind_of(status.st_mode) + ", " + access_of(flags) +
                        place_of(number));
  }
  plan.numbers = std::move(numbers);
  return plan;
}

}  // namespace jail::run
