#include "sys/terminal.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "base/error.h"

namespace jail::sys {
namespace {

constexpr int kTaken = 0;
constexpr int kRefused = 1;
constexpr int kNotTried = 2;

// A session leader that ends hangs its terminal up, a real line for everybody: it is given back before. Giving it back
// sends SIGHUP to the foreground group, which is this process.
[[noreturn]] void try_to_take(int fd) {
  (void)::signal(SIGHUP, SIG_IGN);
  if (::setsid() < 0) ::_exit(kNotTried);
  if (::ioctl(fd, TIOCSCTTY, 0) != 0) ::_exit(errno == EPERM ? kRefused : kNotTried);
  (void)::ioctl(fd, TIOCNOTTY);
  ::_exit(kTaken);
}

}  // namespace

bool is_terminal(int fd) noexcept { return terminal_attributes(fd).has_value(); }

dev_t terminal_device(int fd) noexcept {
  unsigned number = 0;
  if (::ioctl(fd, TIOCGDEV, &number) != 0) return 0;
  // The kernel's packing of 32 bits (new_encode_dev): minor 0-7, major 8-19, the rest of the minor 20-31.
  return makedev((number & 0xfff00U) >> 8U, (number & 0xffU) | ((number >> 12U) & 0xfff00U));
}

std::optional<termios> terminal_attributes(int fd) noexcept {
  termios attributes{};
  if (::tcgetattr(fd, &attributes) != 0) return std::nullopt;
  return attributes;
}

bool set_terminal_attributes(int fd, const termios& attributes) noexcept {
  return TEMP_FAILURE_RETRY(::tcsetattr(fd, TCSANOW, &attributes)) == 0;
}

std::optional<winsize> window_size(int fd) noexcept {
  winsize size{};
  if (::ioctl(fd, TIOCGWINSZ, &size) != 0) return std::nullopt;
  return size;
}

void set_window_size(int fd, const winsize& size) noexcept { (void)::ioctl(fd, TIOCSWINSZ, &size); }

std::optional<pid_t> foreground_group(int fd) noexcept {
  const pid_t group = ::tcgetpgrp(fd);
  if (group < 0) return std::nullopt;
  return group;
}

void discard_input(int fd) noexcept { (void)::tcflush(fd, TCIFLUSH); }

TerminalPair make_terminal(const std::string& multiplexer) {
  TerminalPair pair;
  pair.master = Fd(check(::open(multiplexer.c_str(), O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC), "open", multiplexer));
  const int unlocked = 0;
  check(::ioctl(pair.master.get(), TIOCSPTLCK, &unlocked), "ioctl TIOCSPTLCK", multiplexer);
  pair.slave = Fd(
      check(::ioctl(pair.master.get(), TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC), "ioctl TIOCGPTPEER", multiplexer));
  return pair;
}

Fd terminal_peer(const Fd& master) noexcept {
  return Fd(::ioctl(master.get(), TIOCGPTPEER, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC));
}

void take_controlling_terminal(const Fd& terminal) { check(::ioctl(terminal.get(), TIOCSCTTY, 0), "ioctl TIOCSCTTY"); }

TerminalOwner terminal_owner(int fd) {
  const pid_t child = check(::fork(), "fork");
  if (child == 0) try_to_take(fd);
  int status = 0;
  // Unknown, too, where the caller left SIGCHLD ignored: then there is no status to collect.
  if (TEMP_FAILURE_RETRY(::waitpid(child, &status, 0)) != child || !WIFEXITED(status)) return TerminalOwner::Unknown;
  if (WEXITSTATUS(status) == kTaken) return TerminalOwner::Nobody;
  return WEXITSTATUS(status) == kRefused ? TerminalOwner::Session : TerminalOwner::Unknown;
}

}  // namespace jail::sys
