// jaild: watches jails for launchers that may not load programs into the kernel. Started by systemd with its socket
// (sd_listen_fds(3)), or by hand, as root.
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/error.h"
#include "broker/confine.h"
#include "broker/server.h"
#include "sys/cgroup.h"
#include "sys/process.h"

namespace jail::broker {
namespace {

// Whatever a run that asks for eBPF by name can take (monitor/plan.h).
constexpr std::array kLent{trace::Family::Process,   trace::Family::Network,  trace::Family::NetworkUnix,
                           trace::Family::Privilege, trace::Family::FileExit, trace::Family::FileHooks};
constexpr int kBacklog = 128;
constexpr int kPassedByManager = 3;  // SD_LISTEN_FDS_START
constexpr const char* kHelp =
    "jaild [--socket PATH]: watches jails for users who may not load programs into the kernel.\n"
    "Needs root. Listens at PATH (default /run/jail/jaild.sock), or on the socket that systemd passes.\n";

Fd open_signals() {
  sigset_t wanted;
  sigemptyset(&wanted);
  for (const int signal : {SIGTERM, SIGINT}) sigaddset(&wanted, signal);
  check(::sigprocmask(SIG_BLOCK, &wanted, nullptr), "sigprocmask");
  (void)::signal(SIGCHLD, SIG_IGN);  // processes aside are nobody's to wait for
  (void)::signal(SIGPIPE, SIG_IGN);
  return Fd(check(::signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK), "signalfd"));
}

// As many connections as there are descriptors for, with a run each.
Limits limits_here() {
  constexpr rlim_t kOwn = 64, kOfEach = 8;
  rlimit descriptors{};
  check(::getrlimit(RLIMIT_NOFILE, &descriptors), "getrlimit");
  descriptors.rlim_cur = std::min<rlim_t>(descriptors.rlim_max, 65536);
  check(::setrlimit(RLIMIT_NOFILE, &descriptors), "setrlimit");
  Limits limits;
  const rlim_t room = descriptors.rlim_cur > kOwn ? (descriptors.rlim_cur - kOwn) / kOfEach : 0;
  limits.all_connections = static_cast<std::uint32_t>(std::min<rlim_t>(limits.all_connections, room));
  return limits;
}

bool is_passed() {
  const char* pid = ::getenv("LISTEN_PID");
  const char* count = ::getenv("LISTEN_FDS");
  return pid != nullptr && count != nullptr && std::to_string(::getpid()) == pid && std::string_view(count) == "1";
}

// A folder that root alone may change, and a socket in it that everybody may connect to.
Fd listen_by_hand(const std::string& path) {
  const std::string folder = path.substr(0, path.rfind('/'));
  if (::mkdir(folder.c_str(), 0755) != 0 && errno != EEXIST) throw SysError(errno, "mkdir", folder);
  struct stat status {};
  check(::lstat(folder.c_str(), &status), "lstat", folder);
  if (!S_ISDIR(status.st_mode) || status.st_uid != ::geteuid() || (status.st_mode & 022) != 0)
    throw SysError(EPERM, "the folder is not root's alone", folder);
  int error = 0;
  if (sys::try_connect(path, 1000, error)) throw SysError(EADDRINUSE, "another jaild serves", path);
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) throw SysError(errno, "unlink", path);
  Fd listening = sys::listen_at(path, kBacklog);
  check(::chmod(path.c_str(), 0666), "chmod", path);
  return listening;
}

Fd take_passed() {
  check(::fcntl(kPassedByManager, F_SETFD, FD_CLOEXEC), "fcntl", "the socket that was passed");
  check(::fcntl(kPassedByManager, F_SETFL, O_NONBLOCK), "fcntl", "the socket that was passed");
  return Fd(kPassedByManager);
}

int serve(const std::string& path) {
  const bool passed = is_passed();
  sys::close_from(passed ? kPassedByManager + 1 : kPassedByManager, {});
  const Fd signals = open_signals();
  const Limits limits = limits_here();
  GroupLink groups = GroupLink::start();
  trace::Tracer tracer = trace::Tracer::open_own({kLent.begin(), kLent.end()});
  trace::TaskReader tasks;
  Fd listening = passed ? take_passed() : listen_by_hand(path);
  Hooks hooks(std::move(tracer), sys::open_top_group());
  confine();
  Server server(std::move(listening), std::move(hooks), std::move(tasks), std::move(groups), limits);
  std::fprintf(stderr, "jaild: serving\n");
  server.serve(signals);
  return 0;
}

int run(int argc, char** argv) {
  std::string path = kSocket;
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    if (word == "--help") return std::fputs(kHelp, stdout) < 0;
    if (word == "--version") return std::puts("jaild " JAIL_VERSION) < 0;
    if (word != "--socket" || i + 1 == argc || argv[i + 1][0] != '/') return std::fputs(kHelp, stderr), 2;
    path = argv[++i];
  }
  return serve(path);
}

}  // namespace
}  // namespace jail::broker

int main(int argc, char** argv) {
  try {
    return jail::broker::run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "jaild: %s\n", error.what());
    return 1;
  }
}
