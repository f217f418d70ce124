// A jaild of a test's own, and launchers of ordinary users as far as jaild can tell: processes with a child that is the
// first of a pid namespace.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <functional>
#include <optional>
#include <ranges>
#include <string>

#include "../scratch.h"
#include "base/error.h"
#include "bpf/events.h"
#include "broker/protocol.h"
#include "sys/peer.h"
#include "sys/pipe.h"
#include "sys/process.h"
#include "sys/socket.h"
#include "trace/programs.h"

namespace jail::broker {

inline constexpr uid_t kAnn = 60001, kBob = 60002;
inline constexpr int kPatienceMs = 10'000;

// What jaild said: why not, or with what.
struct Heard {
  std::string refused;
  Fd ring;
  bool is_closed = false;  // without a word
  std::string no_groups;
  std::vector<Fd> descriptors;
};

class Line {
 public:
  explicit Line(const std::string& path) {
    int error = 0;
    socket_ = sys::try_connect(path, kPatienceMs, error);
  }

  Heard ask(const Request& request, int descriptor = -1) const {
    (void)ask_only(request, descriptor);
    return hear();
  }
  bool ask_only(const Request& request, int descriptor) const {
    const std::string bytes = emit(request);
    return sys::send_now(socket_, bytes.data(), bytes.size(), descriptor);
  }
  Heard look() const { return ask({.ask = Ask::Look}); }
  Heard trace(const Fd& child) const {
    return ask({.ask = Ask::Trace, .families = 1, .what = JAIL_WANT_PROCESS, .ring_bytes = kLeastRing}, child.get());
  }
  Heard hear() const {
    pollfd polled{socket_.get(), POLLIN, 0};
    Heard heard;
    if (::poll(&polled, 1, kPatienceMs) != 1) {
      heard.refused = "no answer";
      return heard;
    }
    std::optional<sys::Letter> letter = sys::receive_letter(socket_, kAnswerBytes, sys::kMostDescriptors);
    heard.is_closed = !letter || letter->bytes.empty();
    if (heard.is_closed) return heard;
    const std::optional<Answer> answer = parse_answer(letter->bytes, heard.refused);
    if (answer) heard.refused = answer->refused;
    if (answer) heard.no_groups = answer->no_groups;
    heard.descriptors = std::move(letter->descriptors);
    if (heard.descriptors.size() == 1) heard.ring = std::move(heard.descriptors.front());
    return heard;
  }
  [[nodiscard]] const Fd& socket() const { return socket_; }
  void close() { socket_.reset(); }

 private:
  Fd socket_;
};

class Jaild {
 public:
  explicit Jaild(const std::string& socket) : socket_(socket), child_(sys::fork_into(0)) {
    if (child_.pid == 0) {
      ::execl(JAILD, JAILD, "--socket", socket.c_str(), nullptr);
      ::_exit(127);
    }
    for (int waited = 0; waited < kPatienceMs; ++waited, ::usleep(1000)) {
      const Line line(socket);
      if (!line.socket()) continue;
      EXPECT_EQ(line.look().refused, "");
      resting_ = descriptors() - kOfAConnection;
      return;
    }
    ADD_FAILURE() << "jaild does not come up";
  }
  ~Jaild() { end(SIGTERM); }
  Jaild(const Jaild&) = delete;
  Jaild& operator=(const Jaild&) = delete;

  void end(int signal) {
    if (child_.pid == 0) return;
    (void)sys::pidfd_send_signal(child_.pidfd, signal);
    (void)sys::reap(std::exchange(child_.pid, 0));
  }

  [[nodiscard]] const std::string& socket() const { return socket_; }
  [[nodiscard]] pid_t pid() const { return child_.pid; }
  [[nodiscard]] std::size_t descriptors() const {
    const std::filesystem::directory_iterator all("/proc/" + std::to_string(child_.pid) + "/fd");
    return static_cast<std::size_t>(std::ranges::distance(all));
  }
  // Nothing is left of whom it has served.
  [[nodiscard]] bool comes_to_rest() const {
    for (int waited = 0; waited < kPatienceMs && descriptors() > resting_; ++waited) ::usleep(1000);
    return descriptors() <= resting_;
  }

 private:
  static constexpr std::size_t kOfAConnection = 2;  // itself, and who is at its other end

  std::size_t resting_ = 0;
  std::string socket_;
  sys::Child child_;
};

// The first process of a pid namespace of its own, which does what it is told and then waits to be killed.
class Child {
 public:
  explicit Child(const std::function<void()>& body = [] {}, std::uint64_t namespaces = CLONE_NEWUSER | CLONE_NEWPID)
      : Child(body, namespaces, sys::make_pipe()) {}
  ~Child() { end(); }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  void end() {
    if (child_.pid == 0) return;
    (void)sys::pidfd_send_signal(child_.pidfd, SIGKILL);
    (void)sys::reap(std::exchange(child_.pid, 0));
  }
  [[nodiscard]] const Fd& pidfd() const { return child_.pidfd; }
  [[nodiscard]] pid_t pid() const { return child_.pid; }

 private:
  // Nobody is left behind of whom the death of the parent was not yet told.
  Child(const std::function<void()>& body, std::uint64_t namespaces, sys::Pipe ready)
      : child_(sys::fork_into(namespaces)) {
    char byte = 0;
    if (child_.pid != 0) {
      ready.write.reset();
      (void)!::read(ready.read.get(), &byte, 1);
      return;
    }
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)!::write(ready.write.get(), &byte, 1);
    body();
    for (;;) ::pause();
  }

  sys::Child child_;
};

// Runs `body` as that user in a process of its own, in that control group or in ours (null), and gives back what it
// says; "" is the best it can say.
inline std::string as_user(uid_t user, const std::function<std::string()>& body, const Fd* group = nullptr) {
  int pipe[2];
  check(::pipe2(pipe, O_CLOEXEC), "pipe2");
  const Fd from(pipe[0]);
  Fd to(pipe[1]);
  const sys::Child child = group == nullptr ? sys::fork_into(0) : sys::fork_into_group(*group);
  if (child.pid == 0) {
    sys::set_groups_empty();
    sys::set_ids(user, user);
    const std::string said = body();
    (void)!::write(to.get(), said.data(), said.size());
    ::_exit(0);
  }
  to.reset();
  std::string said;
  char some[512];
  while (const ssize_t size = TEMP_FAILURE_RETRY(::read(from.get(), some, sizeof some))) {
    if (size < 0) break;
    said.append(some, static_cast<std::size_t>(size));
  }
  const int status = sys::reap(child.pid).status;
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) said += " (died)";
  return said;
}

class Broker : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "only root starts jaild";
    static const std::string missing = trace::load(trace::all_families()).support.why_not(trace::Family::Process);
    if (!missing.empty()) GTEST_SKIP() << missing;
    (void)jaild();  // by root
  }
  // One for all: to load its programs takes longer than any test.
  static const Jaild& jaild() {
    static const test::Scratch scratch;
    static const Jaild started(scratch / "jaild.sock");
    return started;
  }
  [[nodiscard]] static const std::string& socket() { return jaild().socket(); }

  // What jaild says to Ann when she asks for `child`.
  std::string told(const std::function<void(Line&)>& first, const std::function<const Fd&()>& child) {
    return as_user(kAnn, [&] {
      Line line(socket());
      first(line);
      const Heard heard = line.trace(child());
      if (heard.is_closed) return std::string("closed");
      return heard.refused.empty() && !heard.ring ? std::string("no ring") : heard.refused;
    });
  }
  std::string told(const std::function<const Fd&()>& child) {
    return told([](Line&) {}, child);
  }
};

}  // namespace jail::broker
