#include "launch.h"

#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <system_error>

namespace jail::test {
namespace {

using Clock = std::chrono::steady_clock;

Clock::time_point after(double seconds) {
  return Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
}

std::array<int, 2> make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw std::system_error(errno, std::system_category(), "pipe2");
  return ends;
}

// The child's own failures: a status that neither jail nor an attack uses.
[[noreturn]] void give_up(const char* what) {
  std::perror(what);
  ::_exit(99);
}

void become(const Identity& identity) {
  if (::geteuid() != 0) return;
  if (::setgroups(identity.groups.size(), identity.groups.data()) != 0) give_up("setgroups");
  if (::setresgid(identity.gid, identity.gid, identity.gid) != 0) give_up("setresgid");
  if (::setresuid(identity.uid, identity.uid, identity.uid) != 0) give_up("setresuid");
}

std::vector<char*> pointers(std::vector<std::string>& words) {
  std::vector<char*> list;
  for (std::string& word : words) list.push_back(word.data());
  list.push_back(nullptr);
  return list;
}

[[noreturn]] void exec_child(const Launch& launch, int in, int out, int error) {
  if (launch.session ? ::setsid() < 0 : ::setpgid(0, launch.group.value_or(0)) != 0) give_up("group");
  if (::dup2(in, 0) < 0 || ::dup2(out, 1) < 0 || ::dup2(error, 2) < 0) give_up("dup2");
  if (launch.prepare) launch.prepare();
  become(launch.identity);
  if (::chdir(launch.folder.c_str()) != 0) give_up(launch.folder.c_str());
  std::vector<std::string> words = launch.words, variables;
  for (const auto& [name, value] : launch.environment) variables.push_back(name + "=" + value);
  ::execve(words[0].c_str(), pointers(words).data(), pointers(variables).data());
  give_up(words[0].c_str());
}

constexpr std::size_t kKept = 4U << 20;

// False at the end of the stream.
bool take(int fd, std::string& into) {
  std::array<char, 65536> block{};
  const ssize_t length = ::read(fd, block.data(), block.size());
  if (length > 0 && into.size() < kKept) into.append(block.data(), static_cast<std::size_t>(length));
  return length > 0 || (length < 0 && errno == EINTR);
}

std::vector<pid_t> children() {
  std::vector<pid_t> found;
  std::ifstream list("/proc/self/task/" + std::to_string(::getpid()) + "/children");
  for (pid_t pid = 0; list >> pid;) found.push_back(pid);
  return found;
}

bool contains(const std::vector<pid_t>& list, pid_t pid) {
  return std::find(list.begin(), list.end(), pid) != list.end();
}

std::vector<pid_t> strangers(const std::vector<pid_t>& spared) {
  std::vector<pid_t> left;
  for (const pid_t pid : children())
    if (!contains(spared, pid) && ::waitpid(pid, nullptr, WNOHANG | __WALL) == 0) left.push_back(pid);
  return left;
}

}  // namespace

int patience() { return std::getenv("JAIL_VM") != nullptr ? 120 : 30; }

int Outcome::code() const { return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status); }

Started::Started(const Launch& launch) : seconds_(launch.seconds) {
  const auto out = make_pipe(), error = make_pipe(), in = make_pipe();
  const int null = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  pid_ = ::fork();
  if (pid_ < 0) throw std::system_error(errno, std::system_category(), "fork");
  if (pid_ == 0) exec_child(launch, launch.input.empty() ? null : in[0], out[1], error[1]);
  for (const int fd : {out[1], error[1], in[0], null}) ::close(fd);
  if (::write(in[1], launch.input.data(), launch.input.size()) < 0) std::perror("write");
  ::close(in[1]);
  out_ = out[0];
  error_ = error[0];
}

Started::~Started() {
  if (pid_ > 0) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  for (const int fd : {out_, error_})
    if (fd >= 0) ::close(fd);
}

Outcome Started::wait() {
  Outcome outcome;
  const auto limit = after(seconds_);
  const int handle = static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0));
  std::array<pollfd, 3> streams{{{out_, POLLIN, 0}, {error_, POLLIN, 0}, {handle, POLLIN, 0}}};
  bool ended = false;
  // A survivor may hold the pipes for ever: after the process itself ended they get one more second.
  for (auto close_at = limit; streams[0].fd >= 0 || streams[1].fd >= 0 || !ended;) {
    ::poll(streams.data(), streams.size(), 20);
    if (streams[0].revents != 0 && !take(out_, outcome.out)) streams[0].fd = -1;
    if (streams[1].revents != 0 && !take(error_, outcome.error)) streams[1].fd = -1;
    if (!ended && ::waitpid(pid_, &outcome.status, WNOHANG) == pid_) {
      ended = true;
      streams[2].fd = -1;
      close_at = after(1);
    }
    if (!ended && Clock::now() > limit) {
      outcome.timed_out = true;
      ::kill(pid_, SIGKILL);
    }
    if (ended && Clock::now() > close_at) break;
  }
  ::close(handle);
  pid_ = -1;
  return outcome;
}

Outcome run(const Launch& launch) {
  const std::vector<pid_t> before = children();
  Started started(launch);
  Outcome outcome = started.wait();
  outcome.survivors = reap_survivors(2, before);
  return outcome;
}

void adopt_orphans() { ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); }

int reap_survivors(double seconds, const std::vector<pid_t>& spared) {
  if (eventually(seconds, [&] { return strangers(spared).empty(); })) return 0;
  const std::vector<pid_t> left = strangers(spared);
  for (const pid_t pid : left) ::kill(pid, SIGKILL);
  eventually(2, [&] { return strangers(spared).empty(); });
  return static_cast<int>(left.size());
}

bool eventually(double seconds, const std::function<bool()>& condition) {
  for (const auto limit = after(seconds);; ::usleep(2000)) {
    if (condition()) return true;
    if (Clock::now() > limit) return false;
  }
}

}  // namespace jail::test
