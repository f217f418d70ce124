// What stands on descriptors 0-2, and what the plugin gets in its place. Only looks: nothing is opened or changed.
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <optional>

#include "base/error.h"
#include "run/stdio.h"
#include "sys/pipe.h"
#include "sys/terminal.h"

namespace jail::run {
namespace {

constexpr std::array<const char*, 3> kNames{"standard input", "standard output", "standard error"};

struct Look {
  struct stat status {};
  int flags = 0;
  dev_t terminal = 0;  // the device behind /dev/tty, too
};

std::optional<Look> look_at(int fd) {
  Look look;
  look.flags = sys::status_flags(fd);
  if (look.flags < 0 || ::fstat(fd, &look.status) != 0) return std::nullopt;
  if (S_ISCHR(look.status.st_mode) && sys::is_terminal(fd)) look.terminal = sys::terminal_device(fd);
  return look;
}

// Of a terminal's master, which answers for its slave: a second open of it would be another terminal.
bool is_multiplexer(const Look& look) {
  return look.status.st_rdev == makedev(5, 2) || major(look.status.st_rdev) == 2;
}

bool is_terminal(const Look& look) { return look.terminal != 0 && !is_multiplexer(look); }

// /dev/null, zero, full, random, urandom (mem(4), null(4)): they hold nothing of anybody's, the jail has its own of
// each, and daemons open /dev/null for reading and writing, so that a pipe in its place would only cost time.
bool is_memory_device(const Look& look) {
  constexpr std::array<unsigned, 5> kMinors{3, 5, 7, 8, 9};
  if (!S_ISCHR(look.status.st_mode) || major(look.status.st_rdev) != 1) return false;
  return std::find(kMinors.begin(), kMinors.end(), minor(look.status.st_rdev)) != kMinors.end();
}

// Whose file it is may change its mode, times and attributes by any descriptor, also one that only reads.
bool is_one_way_file_of_others(const Look& look, uid_t plugin) {
  return S_ISREG(look.status.st_mode) && look.status.st_uid != plugin && (look.flags & O_ACCMODE) != O_RDWR &&
         (look.flags & O_APPEND) == 0;
}

bool is_listening(int fd) {
  int listening = 0;
  socklen_t size = sizeof listening;
  return ::getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) == 0 && listening != 0;
}

std::string problem_with(int fd, const Look& look) {
  const std::string name = kNames[static_cast<std::size_t>(fd)];
  if ((look.flags & O_PATH) != 0)
    return name + " is a path that was never opened (O_PATH): nothing can be read or written there";
  if (S_ISDIR(look.status.st_mode)) return name + " is a folder: the plugin could walk from it to what no grant names";
  if ((look.status.st_mode & S_IFMT) == 0) return name + " is a kernel object, neither file, pipe, socket nor terminal";
  if (S_ISSOCK(look.status.st_mode) && is_listening(fd))
    return name + " is a listening socket: it has nothing to read or write";
  return {};
}

const char* access_of(const Look& look) {
  if ((look.flags & O_ACCMODE) == O_RDONLY) return "read";
  if ((look.flags & O_ACCMODE) == O_RDWR) return "read, write";
  return (look.flags & O_APPEND) != 0 ? "append" : "write";
}

std::string kind_of(const Look& look) {
  if (is_terminal(look)) return "terminal";
  if (S_ISSOCK(look.status.st_mode)) return "socket";
  const std::string access = std::string(" (") + access_of(look) + ")";
  if (S_ISFIFO(look.status.st_mode)) return "pipe" + access;
  if (S_ISREG(look.status.st_mode)) return "file" + access;
  if (is_memory_device(look)) return "memory device" + access;
  return "device" + access;
}

Wire wire_for(const Look& look, uid_t plugin) {
  if (is_terminal(look)) return Wire::Terminal;
  return is_memory_device(look) || is_one_way_file_of_others(look, plugin) ? Wire::Pass : Wire::Pipe;
}

Flow flow_of(int fd, const Look& look) {
  switch (look.flags & O_ACCMODE) {
    case O_RDONLY: return Flow::In;
    case O_WRONLY: return Flow::Out;
    default: return fd == STDIN_FILENO ? Flow::In : Flow::Out;
  }
}

// The numbers of two instances of devpts are alike: the file system tells them apart, but not where the one is an alias
// such as /dev/tty.
bool same_terminal(const Look& one, const Look& other) {
  const bool alias = one.status.st_rdev != one.terminal || other.status.st_rdev != other.terminal;
  return one.terminal == other.terminal && (alias || one.status.st_dev == other.status.st_dev);
}

TerminalInput input_of(int fd, const Look& look) {
  if ((look.flags & O_ACCMODE) == O_WRONLY) return TerminalInput::Never;
  if (sys::foreground_group(fd)) return TerminalInput::WhileForeground;
  return sys::terminal_owner(fd) == sys::TerminalOwner::Nobody ? TerminalInput::Always : TerminalInput::Never;
}

class Planner {
 public:
  explicit Planner(uid_t plugin) : plugin_(plugin) {}

  StdioPlan plan() {
    for (int fd = 0; fd < 3; ++fd) looks_[index(fd)] = look_at(fd);
    for (int fd = 0; fd < 3; ++fd) place(fd);
    if (plan_.wires[0] == Wire::Terminal) plan_.input = input_of(STDIN_FILENO, *looks_[0]);
    if (plan_.input == TerminalInput::WhileForeground && feeds_a_pipe()) plan_.input = TerminalInput::Shared;
    return std::move(plan_);
  }

 private:
  static std::size_t index(int fd) { return static_cast<std::size_t>(fd); }

  void place(int fd) {
    const std::optional<Look>& look = looks_[index(fd)];
    plan_.wires[index(fd)] = look ? wire_for(*look, plugin_) : Wire::Null;
    plan_.seen[index(fd)] = look ? kind_of(*look) : "closed";
    if (!look) return;
    plan_.flows[index(fd)] = flow_of(fd, *look);
    if (plan_.problem.empty()) plan_.problem = problem_with(fd, *look);
    if (plan_.wires[index(fd)] == Wire::Terminal) plan_.terminal[index(fd)] = terminal_for(fd);
    if (plan_.wires[index(fd)] == Wire::Pipe) plan_.pipe[index(fd)] = pipe_for(fd);
  }

  [[nodiscard]] bool feeds_a_pipe() const { return looks_[1] && S_ISFIFO(looks_[1]->status.st_mode); }

  int terminal_for(int fd) {
    for (int earlier = 0; earlier < fd; ++earlier)
      if (plan_.wires[index(earlier)] == Wire::Terminal && same_terminal(*looks_[index(earlier)], *looks_[index(fd)]))
        return plan_.terminal[index(earlier)];
    return plan_.terminals++;
  }

  int pipe_for(int fd) const {
    for (int earlier = 0; earlier < fd; ++earlier)
      if (plan_.wires[index(earlier)] == Wire::Pipe && plan_.flows[index(earlier)] == plan_.flows[index(fd)] &&
          sys::same_description(earlier, fd))
        return plan_.pipe[index(earlier)];
    return fd;
  }

  uid_t plugin_;
  StdioPlan plan_;
  std::array<std::optional<Look>, 3> looks_;
};

}  // namespace

StdioPlan plan_stdio(uid_t plugin) { return Planner(plugin).plan(); }

void fill_closed_stdio() {
  for (int fd = 0; fd < 3; ++fd)
    if (sys::status_flags(fd) < 0) check(::open("/dev/null", O_RDWR), "open", "/dev/null");
}

}  // namespace jail::run
