// A jail as far as the programs can tell: processes in a pid namespace of their own, who watches them, and strangers.
#pragma once

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/landlock.h>
#include <sched.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <future>

#include "../scratch.h"
#include "base/error.h"
#include "bpf/events.h"
#include "sys/cgroup.h"
#include "sys/process.h"
#include "trace/watch.h"

namespace jail::trace {

inline constexpr std::uint32_t kFiles = JAIL_WANT_CHANGES | JAIL_WANT_READS | JAIL_WANT_LOOKS | JAIL_WANT_FAILED;

// A BPF file system of this process's own, which goes with it.
inline const std::string& own_bpf_folder() {
  static const std::string folder = [] {
    const std::string path = "/sys/fs/bpf";
    if (::geteuid() != 0) return path;
    if (::unshare(CLONE_NEWNS) != 0 || ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("bpf", path.c_str(), "bpf", 0, "mode=0755") != 0)
      ADD_FAILURE() << "no BPF file system of one's own: " << std::strerror(errno);
    return path;
  }();
  return folder;
}

class Trace : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "only root loads programs";
    (void)own_bpf_folder();
  }
};

// A process in a pid namespace of its own, as pid 2 of it, that waits until it is told to do something.
class Jailed {
 public:
  explicit Jailed(std::function<void()> body) {
    check(::pipe2(go_, O_CLOEXEC), "pipe");
    check(::pipe2(number_, O_CLOEXEC), "pipe");
    int pidfd = -1;
    first_ = static_cast<pid_t>(
        check(::syscall(SYS_clone, CLONE_NEWPID | CLONE_PIDFD | SIGCHLD, 0, &pidfd, 0, 0), "clone"));
    if (first_ == 0) be_first(body);
    pidfd_ = Fd(pidfd);
    ::close(go_[0]);
    char byte = 0;
    check(::read(number_[0], &byte, 1), "read");
  }
  ~Jailed() {
    for (const int end : {go_[1], number_[0], number_[1]}) ::close(end);
    // By its descriptor: a number that has become another's, or -1, would be everybody's end.
    (void)sys::pidfd_send_signal(pidfd_, SIGKILL);
    wait();
  }
  Jailed(const Jailed&) = delete;
  Jailed& operator=(const Jailed&) = delete;

  [[nodiscard]] pid_t first() const { return first_; }
  void go() {
    check(::write(go_[1], "", 1), "write");
    wait();
  }

 private:
  [[noreturn]] void be_first(const std::function<void()>& body) {
    (void)::prctl(PR_SET_PDEATHSIG, SIGKILL);
    const pid_t second = ::fork();
    if (second == 0) {
      char byte = 0;
      (void)!::write(number_[1], "", 1);
      (void)!::read(go_[0], &byte, 1);
      body();
      ::_exit(7);
    }
    (void)::waitpid(second, nullptr, 0);
    ::_exit(0);
  }

  void wait() { (void)::waitid(P_PIDFD, static_cast<id_t>(pidfd_.get()), nullptr, WEXITED); }

  pid_t first_ = 0;
  Fd pidfd_;
  int go_[2] = {}, number_[2] = {};
};

// By the thread that reads; read by us when it has ended.
class Told {
 public:
  void add(const event::Event& event) { events_.push_back(event); }
  // Those of one kind.
  template <typename Body>
  [[nodiscard]] std::vector<std::pair<Body, event::Event>> of() const {
    std::vector<std::pair<Body, event::Event>> all;
    for (const event::Event& event : events_)
      if (const auto* body = std::get_if<Body>(&event.body)) all.emplace_back(*body, event);
    return all;
  }
  template <typename Body>
  [[nodiscard]] const event::Event* find(const std::function<bool(const Body&)>& wanted) const {
    const auto found = std::ranges::find_if(events_, [&](const event::Event& event) {
      const auto* body = std::get_if<Body>(&event.body);
      return body != nullptr && wanted(*body);
    });
    return found == events_.end() ? nullptr : &*found;
  }
  [[nodiscard]] std::size_t size() const { return events_.size(); }

 private:
  std::vector<event::Event> events_;
};

struct Outcome {
  Told told;
  std::uint64_t lost = 0;
};

// Why this kernel has no such programs; empty: it has.
inline std::string missing(Family family) {
  return Tracer::open(all_families(), own_bpf_folder()).support().why_not(family);
}

inline void run_program(const char* path, const char* argument) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::execl(path, path, argument, nullptr);
    ::_exit(99);
  }
  (void)::waitpid(child, nullptr, 0);
}

// A domain of Landlock that allows nothing but to read below `folder`, and no TCP where the kernel can deny it.
inline void confine_to(const std::string& folder) {
  constexpr std::uint64_t kReads = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
  struct {
    std::uint64_t files = (1ULL << 13) - 1, net = 3;
  } handled;
  const long version = ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  const std::size_t size = version < 4 ? sizeof handled.files : sizeof handled;
  const Fd rules(static_cast<int>(check(::syscall(SYS_landlock_create_ruleset, &handled, size, 0), "rules")));
  const Fd top(::open(folder.c_str(), O_PATH | O_CLOEXEC));
  const landlock_path_beneath_attr rule{.allowed_access = kReads, .parent_fd = top.get()};
  check(::syscall(SYS_landlock_add_rule, rules.get(), LANDLOCK_RULE_PATH_BENEATH, &rule, 0), "rule");
  check(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl");
  check(::syscall(SYS_landlock_restrict_self, rules.get(), 0), "restrict");
}

inline std::optional<sys::Cgroup> make_group(const std::string& name, std::string& why) {
  const auto tree = sys::find_groups();
  return sys::Cgroup::make(tree ? tree->own : "", name, why);
}
inline void enter(const std::string& cgroup) { std::ofstream(cgroup + "/cgroup.procs") << ::getpid(); }

// With us, what was started meanwhile aside must have gone before a group can.
inline void leave(const std::string& cgroup) {
  enter(std::filesystem::path(cgroup).parent_path());
  const auto is_empty = [&] { return std::ifstream(cgroup + "/cgroup.procs").peek() == EOF; };
  for (int waited = 0; !is_empty() && waited < 10'000; ++waited) ::usleep(1000);
  EXPECT_TRUE(is_empty());
}

struct Scene {
  std::vector<Family> families;
  std::uint32_t what = 0;
  std::function<void()> inside;
  std::function<void()> outside = [] {};  // a stranger's, while the run is watched
  std::uint32_t ring_bytes = kRingBytes;
  std::shared_future<void> log_waits{};  // the log hangs until then
};

inline Outcome watch(const Scene& scene, std::promise<void>* inside_has_ended = nullptr) {
  Outcome outcome;
  const Tracer tracer = Tracer::open(all_families(), own_bpf_folder());
  std::string why;
  std::optional<sys::Cgroup> cgroup;
  if (std::ranges::any_of(scene.families, is_of_group)) {
    cgroup = make_group("jail-test-" + std::to_string(::getpid()), why);
    EXPECT_TRUE(cgroup) << why;
    if (!cgroup) return outcome;
    enter(cgroup->path());  // the stranger is in it, too
  }
  Jailed jailed(scene.inside);
  std::unique_ptr<Feed> feed = open_feed(tracer,
                                         {.families = scene.families,
                                          .what = scene.what,
                                          .member = jailed.first(),
                                          .cgroup = cgroup ? &cgroup->folder() : nullptr,
                                          .ring_bytes = scene.ring_bytes},
                                         why);
  EXPECT_TRUE(feed) << why;
  if (feed) {
    const auto log = [&](const event::Event& event) {
      if (scene.log_waits.valid()) scene.log_waits.wait();
      outcome.told.add(event);
    };
    const std::unique_ptr<Watching> watching = Watching::open(std::move(feed), why);
    EXPECT_EQ(why + watching->begin({.log = log}), "");
    watching->read_along();
    scene.outside();
    jailed.go();
    if (inside_has_ended != nullptr) inside_has_ended->set_value();
    EXPECT_EQ(watching->finish(), Watching::End::Clean);
    outcome.lost = watching->lost();
  }
  if (cgroup) leave(cgroup->path());
  return outcome;
}

}  // namespace jail::trace
