// Control groups that are lent: who gets none, what its holder cannot do with it, and that a stranger is never caught
// (SECURITY E3).
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <chrono>
#include <fstream>
#include <set>

#include "broker/quota.h"
#include "scene.h"
#include "sys/cgroup.h"
#include "sys/process_tree.h"

namespace jail::broker {
namespace {

constexpr uid_t kCarl = 60003;
constexpr const char* kPidMax = "/proc/sys/kernel/pid_max";

class Groups : public Broker {
 protected:
  void SetUp() override {
    Broker::SetUp();
    if (IsSkipped()) return;
    const Heard heard = Line(socket()).look();
    if (!heard.no_groups.empty()) GTEST_SKIP() << heard.no_groups;
  }

  static Heard group(const Line& line, const Fd& child) { return line.ask({.ask = Ask::Group}, child.get()); }
  static Heard join(const Line& line, const Fd& child) { return line.ask({.ask = Ask::Join}, child.get()); }
};

// In the namespaces of `first` and a child of ours, as the plugin is.
class Second {
 public:
  explicit Second(const Child& first) {
    const sys::Child between = sys::fork_into(0);
    if (between.pid == 0) {
      sys::join_namespaces(first.pidfd(), CLONE_NEWUSER | CLONE_NEWPID);
      if (sys::fork_sibling().pid == 0)
        for (;;) ::pause();
      ::_exit(0);
    }
    (void)sys::reap(between.pid);
    for (const pid_t child : sys::children_of(::getpid()))
      if (child != first.pid()) child_ = {child, sys::pidfd_open(child)};
  }
  ~Second() {
    (void)sys::pidfd_send_signal(child_.pidfd, SIGKILL);
    (void)sys::reap(child_.pid);
  }
  Second(const Second&) = delete;
  Second& operator=(const Second&) = delete;
  [[nodiscard]] const Fd& pidfd() const { return child_.pidfd; }
  [[nodiscard]] pid_t pid() const { return child_.pid; }

 private:
  sys::Child child_;
};

TEST_F(Groups, Control) {
  EXPECT_EQ(as_user(kAnn,
                    [] {
                      sys::set_dumpable(sys::Dumpable::Yes);  // or nobody joins its children's namespaces
                      const Child first;
                      const Second second(first);
                      const Line line(socket());
                      const Heard made = group(line, first.pidfd());
                      const Heard joined = join(line, second.pidfd());
                      if (made.descriptors.empty()) return made.refused + "; no folder";
                      const std::string inside = sys::read_group_file(made.descriptors.front(), "cgroup.procs");
                      const std::string both = std::to_string(first.pid()) + "\n" + std::to_string(second.pid());
                      return made.refused + joined.refused + (inside == both ? "" : inside + " is not " + both);
                    }),
            "");
}

TEST_F(Groups, WhoGetsNone) {
  const Child others;
  EXPECT_EQ(as_user(kAnn, [&] { return group(Line(socket()), others.pidfd()).refused; }),
            "the process is no child of who asks");
  EXPECT_EQ(as_user(kAnn, [] { return group(Line(socket()), Fd()).refused; }),
            "a connection is for one child, by its pidfd");
  EXPECT_EQ(as_user(kAnn,
                    [] {
                      sys::set_no_new_privileges();
                      const Child child;
                      return group(Line(socket()), child.pidfd()).refused;
                    }),
            "who asks has given up new privileges (no_new_privs)");
  EXPECT_EQ(as_user(kAnn,
                    [] {
                      const Child one, other;
                      const Line line(socket());
                      const std::string first = group(line, one.pidfd()).refused;
                      return first + "|" + group(line, other.pidfd()).refused;
                    }),
            "|a connection is for one child, by its pidfd");
}

TEST_F(Groups, WhoDoesNotJoin) {
  EXPECT_EQ(as_user(kAnn,
                    [] {
                      const Child first;
                      return join(Line(socket()), first.pidfd()).refused;
                    }),
            "there is no group to join");
  const Child others;
  EXPECT_EQ(as_user(kAnn,
                    [&] {
                      const Child first, elsewhere;
                      const Line line(socket());
                      const std::string made = group(line, first.pidfd()).refused;
                      const std::string one = join(line, elsewhere.pidfd()).refused;
                      return made + "|" + one + "|" + join(line, others.pidfd()).refused;
                    }),
            "|the child is in another pid namespace than the first|the process is no child of who asks");
}

// Its holder has it to hold a jail, and for nothing else.
TEST_F(Groups, WhatItsHolderCannotDo) {
  EXPECT_EQ(as_user(kAnn,
                    [] {
                      const Child first;
                      const Line line(socket());
                      const Heard made = group(line, first.pidfd());
                      if (made.descriptors.empty()) return made.refused + "; no folder";
                      const Fd& folder = made.descriptors.front();
                      std::string can;
                      for (const char* file : {"cgroup.procs", "cgroup.subtree_control", "pids.max", "../cgroup.procs"})
                        if (sys::write_group_file(folder, file, "0") == 0) can += std::string(file) + " ";
                      if (::mkdirat(folder.get(), "below", 0700) == 0) can += "mkdir ";
                      if (::unlinkat(folder.get(), "../below", AT_REMOVEDIR) == 0) can += "rmdir ";
                      if (::flock(folder.get(), LOCK_EX | LOCK_NB) == 0) can += "lock ";
                      return can;
                    }),
            "");
}

TEST_F(Groups, NobodyHasMoreThanHisShare) {
  EXPECT_EQ(as_user(kAnn,
                    [] {
                      std::vector<std::unique_ptr<Child>> children;
                      std::vector<Line> lines;
                      for (std::uint32_t i = 0; i <= Limits{}.groups; ++i) {
                        children.push_back(std::make_unique<Child>());
                        lines.emplace_back(socket());
                        const Heard heard = group(lines.back(), children.back()->pidfd());
                        if (heard.descriptors.empty()) return heard.refused + " after " + std::to_string(i);
                      }
                      return std::string("as many as he likes");
                    }),
            "too many groups after " + std::to_string(Limits{}.groups));
  EXPECT_EQ(as_user(kCarl, [] { const Child child; return group(Line(socket()), child.pidfd()).refused; }), "");
}

// Numbers that come back at once, a child that dies while it is moved, and strangers who are forked all the time: each
// looks where it is a moment later.
TEST_F(Groups, AStrangerIsNeverCaught) {
  using std::chrono::steady_clock;
  std::string usual;
  std::getline(std::ifstream(kPidMax), usual);
  std::ofstream(kPidMax) << "420\n";
  const auto until = steady_clock::now() + std::chrono::seconds(4);
  const sys::Child strangers = sys::fork_into(0);
  if (strangers.pid == 0) {
    int caught = 0;
    while (steady_clock::now() < until) {
      const pid_t stranger = ::fork();
      if (stranger < 0) continue;
      if (stranger == 0) {
        ::usleep(3000);
        ::_exit(sys::find_groups()->own.find("/jaild-") != std::string::npos ? 1 : 0);
      }
      int status = 0;
      (void)::waitpid(stranger, &status, 0);
      caught += status != 0 ? 1 : 0;
    }
    ::_exit(std::min(caught, 100));
  }
  const std::string tried = as_user(kAnn, [until] {
    int asked = 0;
    while (steady_clock::now() < until) {
      Child child;
      const Line line(socket());
      if (asked++ % 2 == 0) (void)line.ask_only({.ask = Ask::Group}, child.pidfd().get());
      else if (group(line, child.pidfd()).refused.empty()) (void)line.ask_only({.ask = Ask::Join}, child.pidfd().get());
      child.end();
      for (int i = 0; i < 40; ++i)
        if (const pid_t pid = ::fork(); pid == 0) ::_exit(0);
        else if (pid > 0) (void)::waitpid(pid, nullptr, 0);
      (void)line.hear();
    }
    return std::string(asked > 5 ? "" : "hardly tried");
  });
  const int status = sys::reap(strangers.pid).status;
  std::ofstream(kPidMax) << usual << "\n";
  EXPECT_EQ(tried, "");
  EXPECT_EQ(WEXITSTATUS(status), 0) << "strangers in a group of a jail";
}

}  // namespace
}  // namespace jail::broker
