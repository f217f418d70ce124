// A supervisor and its plugin as `jail run` makes them, less the jail: the descriptors of a host are put on 0-2,
// planned, and proxied in the supervisor's loop; the plugin is any function. The test is the host, and the person at
// the terminal.
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <exception>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/fd.h"
#include "run/stdio.h"
#include "sys/process.h"

namespace jail::test {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;
using Plugin = std::function<int()>;

inline milliseconds since(Clock::time_point start) {
  return std::chrono::duration_cast<milliseconds>(Clock::now() - start);
}

struct Pair {
  Fd master;  // or the read end
  Fd slave;   // or the write end
};

inline Pair open_pty() {
  int master = -1;
  int slave = -1;
  winsize size{.ws_row = 24, .ws_col = 80, .ws_xpixel = 0, .ws_ypixel = 0};
  check(::openpty(&master, &slave, nullptr, nullptr, &size), "openpty");
  for (const int fd : {master, slave}) (void)::fcntl(fd, F_SETFD, FD_CLOEXEC);
  return {Fd(master), Fd(slave)};
}

inline Pair open_pipe() {
  int ends[2];
  check(::pipe2(ends, O_CLOEXEC), "pipe2");
  return {Fd(ends[0]), Fd(ends[1])};
}

inline bool wait_readable(int fd, milliseconds patience) {
  pollfd one{fd, POLLIN, 0};
  return ::poll(&one, 1, static_cast<int>(patience.count())) > 0;
}

// What comes until `wanted` has come, the end, or the end of patience.
inline std::string read_until(const Fd& from, std::string_view wanted, milliseconds patience = milliseconds(20000)) {
  const auto start = Clock::now();
  std::string text;
  char block[4096];
  while (text.find(wanted) == std::string::npos && since(start) < patience) {
    if (!wait_readable(from.get(), patience - since(start))) break;
    const ssize_t got = ::read(from.get(), block, sizeof block);
    if (got <= 0) break;
    text.append(block, static_cast<std::size_t>(got));
  }
  return text;
}

// What comes within a time, or until the end.
inline std::string read_for(const Fd& from, milliseconds time) {
  return read_until(from, std::string(1, '\0') + "never", time);
}

inline bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(fd, text.data(), text.size());
    if (written < 0) return false;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

// Bytes without a period that would hide a piece lost or repeated.
inline std::string noise(std::size_t size) {
  std::string bytes(size, '\0');
  std::uint32_t state = 1;
  for (char& byte : bytes) byte = static_cast<char>((state = state * 1664525 + 1013904223) >> 24U);
  return bytes;
}

inline int sh(const char* script) {
  ::execl("/bin/sh", "sh", "-c", script, nullptr);
  return 127;
}

// What stands on 0-2; -1: closed.
struct Standing {
  int in = -1;
  int out = -1;
  int err = -1;
};

// Whose terminal it is. Leader: the supervisor leads its session; Background: a shell leads it, and stays in the
// foreground until SIGUSR1; Stranger: the supervisor leads a session without a terminal.
enum class Relation { Leader, Background, Stranger };

// As whom the supervisor runs, and how long it waits for a slow reader when the plugin has ended.
struct Manners {
  uid_t user = 0;
  milliseconds linger{0};
};

struct Observed {
  long slowest_handle_us = 0;
  long turns = 0;
};

class Supervised {
 public:
  Supervised(Standing standing, Relation relation, Plugin plugin, Manners manners = {})
      : standing_(standing), plugin_(std::move(plugin)), manners_(manners) {
    void* page = ::mmap(nullptr, sizeof(Observed), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    observed_ = new (page) Observed;
    pid_ = check(::fork(), "fork");
    if (pid_ == 0) relate(relation);
  }
  ~Supervised() {
    if (pid_ > 0) (void)::kill(pid_, SIGKILL);
    if (pid_ > 0) (void)::waitpid(pid_, nullptr, 0);
  }
  Supervised(const Supervised&) = delete;
  Supervised& operator=(const Supervised&) = delete;

  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] const Observed& observed() const { return *observed_; }

  // The supervisor's exit status; 128+n after a signal; -1 when it does not end in time.
  int wait(milliseconds patience = milliseconds(30000)) {
    int status = 0;
    const auto start = Clock::now();
    while (::waitpid(pid_, &status, WNOHANG) == 0) {
      if (since(start) > patience) return -1;
      ::usleep(2000);
    }
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

 private:
  [[noreturn]] void relate(Relation relation) {
    (void)::setsid();
    if (relation != Relation::Stranger)
      for (const int fd : {standing_.in, standing_.out, standing_.err})
        if (::isatty(fd) && ::ioctl(fd, TIOCSCTTY, 0) == 0) break;
    if (relation == Relation::Background) be_shell();
    supervise();
  }

  [[noreturn]] void be_shell() {
    sigset_t foreground;
    sigemptyset(&foreground);
    sigaddset(&foreground, SIGUSR1);
    sigaddset(&foreground, SIGCHLD);
    sigaddset(&foreground, SIGTTOU);
    (void)::sigprocmask(SIG_BLOCK, &foreground, nullptr);
    const pid_t child = ::fork();
    if (child == 0) {
      (void)::setpgid(0, 0);
      (void)::sigprocmask(SIG_UNBLOCK, &foreground, nullptr);
      supervise();
    }
    (void)::setpgid(child, child);
    for (int signal = 0;;) {
      (void)::sigwait(&foreground, &signal);
      if (signal == SIGUSR1) (void)::tcsetpgrp(standing_.in, child);
      int status = 0;
      if (signal != SIGCHLD || ::waitpid(child, &status, WNOHANG | WUNTRACED) != child) continue;
      ::_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 100);  // 100: stopped or killed
    }
  }

  static void place(int from, int to) {
    if (from < 0) (void)::close(to);
    else (void)::dup2(from, to);
  }

  [[noreturn]] void supervise() {
    place(standing_.in, 0);
    place(standing_.out, 1);
    place(standing_.err, 2);
    (void)::close_range(3, ~0U, 0);
    if (manners_.user != 0 && ::setuid(manners_.user) != 0) ::_exit(99);
    try {
      ::_exit(run());
    } catch (const std::exception& error) {
      (void)!::write(2, error.what(), std::string_view(error.what()).size());
      ::_exit(98);
    }
  }

  int run() {
    const run::StdioPlan plan = run::plan_stdio(::geteuid());
    if (!plan.problem.empty()) return 97;
    run::StdioEnds ends = run::make_ends(plan);
    run::Terminals terminals = run::make_terminals(plan, "/dev/ptmx");
    const sys::Child child = sys::fork_into(0);
    if (child.pid == 0) {
      default_signals();
      run::connect_stdio(plan, ends, terminals);
      sys::close_from(3, {});
      sys::set_parent_death_signal(SIGKILL);
      ::_exit(plugin_());
    }
    terminals.slaves.clear();
    const Fd signals = open_signals();  // before the terminal is raw, by which a test sees that it may send one
    return loop(child, signals, run::StdioProxy(plan, std::move(ends), std::move(terminals.masters)));
  }

  // As a plugin gets them: who runs the tests in the background ignores SIGINT.
  static void default_signals() {
    for (int signal = 1; signal < NSIG; ++signal)
      if (signal != SIGKILL && signal != SIGSTOP) (void)::signal(signal, SIG_DFL);
  }

  static Fd open_signals() {
    sigset_t wanted;
    sigemptyset(&wanted);
    for (const int signal : {SIGWINCH, SIGCONT, SIGTERM, SIGHUP}) sigaddset(&wanted, signal);
    (void)::sigprocmask(SIG_BLOCK, &wanted, nullptr);
    return Fd(check(::signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK), "signalfd"));
  }

  int loop(const sys::Child& child, const Fd& signals, run::StdioProxy&& proxy) {
    while (step(proxy, signals, child.pidfd.get(), -1)) {}
    proxy.plugin_ended();
    for (const auto start = Clock::now(); proxy.pending() && since(start) < manners_.linger;)
      (void)step(proxy, signals, -1, 10);
    const auto start = Clock::now();
    proxy.drain();
    observe(start);
    const int status = sys::reap(child.pid).status;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

  // False when the plugin has ended. SIGTERM is an exception here, for every way out must restore the terminal.
  bool step(run::StdioProxy& proxy, const Fd& signals, int plugin, int patience_ms) {
    std::vector<pollfd> polled{{signals.get(), POLLIN, 0}, {plugin, POLLIN, 0}};
    proxy.add_to(polled);
    check(::poll(polled.data(), polled.size(), patience_ms), "poll");
    const auto start = Clock::now();
    proxy.handle(polled);
    observe(start);
    signalfd_siginfo info{};
    if (::read(signals.get(), &info, sizeof info) == sizeof info) {
      if (info.ssi_signo == SIGWINCH) proxy.window_changed();
      if (info.ssi_signo == SIGCONT) proxy.continued();
      if (info.ssi_signo == SIGTERM) throw SysError(EINTR, "supervise");
    }
    return polled[1].revents == 0;
  }

  void observe(Clock::time_point start) {
    const long took = std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - start).count();
    observed_->slowest_handle_us = std::max(observed_->slowest_handle_us, took);
    ++observed_->turns;
  }

  Standing standing_;
  Plugin plugin_;
  Manners manners_;
  Observed* observed_ = nullptr;
  pid_t pid_ = -1;
};

}  // namespace jail::test
