#include "run/init.h"

#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>

#include "base/error.h"
#include "run/protocol.h"
#include "sys/process.h"

extern char** environ;

namespace jail::run {
namespace {

// The supervisor's environment was copied here with its memory; it may hold secrets the plugin has no right to.
void forget_environment() {
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) ::explicit_bzero(*entry, std::strlen(*entry));
}

Fd child_signals() {
  sigset_t children;
  sigemptyset(&children);
  sigaddset(&children, SIGCHLD);
  check(::sigprocmask(SIG_BLOCK, &children, nullptr), "sigprocmask");
  return Fd(check(::signalfd(-1, &children, SFD_CLOEXEC | SFD_NONBLOCK), "signalfd"));
}

// Reaps whatever has ended; the plugin's end is the jail's.
void reap_children(pid_t plugin, int supervisor) noexcept {
  int status = 0;
  for (pid_t pid = 0; (pid = ::waitpid(-1, &status, WNOHANG)) > 0;) {
    if (pid != plugin) continue;
    send_report_raw(supervisor, Report{.kind = ReportKind::Ended, .error = 0, .status = status, .stage = {}, .text = {}});
    ::_exit(0);
  }
}

[[noreturn]] void wait_for_the_end(pid_t plugin, int supervisor, int children) noexcept {
  pollfd polled[] = {{supervisor, 0, 0}, {children, POLLIN, 0}};
  for (;;) {
    if (::poll(polled, 2, -1) < 0 && errno != EINTR) ::_exit(1);
    if (polled[0].revents != 0) ::_exit(1);  // the supervisor is gone
    signalfd_siginfo ignored;
    while (::read(children, &ignored, sizeof ignored) > 0) {
    }
    reap_children(plugin, supervisor);
  }
}

}  // namespace

void be_init(pid_t plugin, Fd supervisor, const confine::seccomp::Program& filter) {
  forget_environment();
  const Fd children = child_signals();
  std::vector<int> keep{supervisor.get(), children.get()};
  if (keep[0] > keep[1]) std::swap(keep[0], keep[1]);
  sys::close_from(0, keep);
  if (const int sealed = confine::seccomp::enforce(filter); sealed < 0) throw SysError(-sealed, "seccomp", "init");
  wait_for_the_end(plugin, supervisor.get(), children.get());
}

}  // namespace jail::run
