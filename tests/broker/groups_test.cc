// Control groups that are lent: who gets none, what its holder cannot do with it, and that a stranger is never caught
// (SECURITY E3).
#include <bpf/bpf.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sys/file.h>
#include <sys/ptrace.h>
#include <sys/stat.h>

#include <array>
#include <memory>
#include <vector>

#include "broker/quota.h"
#include "scene.h"
#include "sys/cgroup.h"
#include "sys/process_tree.h"

namespace jail::broker {
namespace {

constexpr uid_t kCarl = 60003;

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

// Not with the connection, which whoever is in the group may have, too: the stop of a service would not reach it there.
TEST_F(Groups, EndsWithWhoHasAsked) {
  const sys::Pipe to_ann = sys::make_pipe(), from_ann = sys::make_pipe();
  const sys::Child ann = sys::fork_into(0);
  if (ann.pid == 0) {
    sys::set_ids(kAnn, kAnn);
    const Line line(socket());
    const Child first([] { ::prctl(PR_SET_PDEATHSIG, 0); });
    char byte = 0;
    const pid_t number = group(line, first.pidfd()).descriptors.empty() ? 0 : first.pid();
    (void)!::write(from_ann.write.get(), &number, sizeof number);
    (void)!::read(to_ann.read.get(), &byte, 1);
    ::_exit(0);
  }
  pid_t number = 0;
  (void)!::read(from_ann.read.get(), &number, sizeof number);
  const Fd first = number == 0 ? Fd() : sys::pidfd_open(number);
  (void)!::write(to_ann.write.get(), "x", 1);
  (void)sys::reap(ann.pid);
  ASSERT_TRUE(first);
  pollfd ended{first.get(), POLLIN, 0};
  EXPECT_EQ(::poll(&ended, 1, kPatienceMs), 1);
}

// What systemd makes of IPAddressDeny= and the like cannot be copied.
TEST_F(Groups, NobodyLeavesAProgramBehind) {
  std::string why;
  const auto session = sys::Cgroup::make(sys::find_groups()->own, "session-" + std::to_string(::getpid()), why);
  if (!session) GTEST_SKIP() << why;
  const auto asked_from_there = [&session] {
    const auto ask = [] { const Child child; return group(Line(socket()), child.pidfd()).refused; };
    return as_user(kAnn, ask, &session->folder());
  };
  EXPECT_EQ(asked_from_there(), "");
  const std::array allow{bpf_insn{BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 1}, bpf_insn{BPF_JMP | BPF_EXIT, 0, 0, 0, 0}};
  const Fd program(::bpf_prog_load(BPF_PROG_TYPE_CGROUP_SKB, "test", "GPL", allow.data(), allow.size(), nullptr));
  ASSERT_EQ(::bpf_prog_attach(program.get(), session->folder().get(), BPF_CGROUP_INET_EGRESS, BPF_F_ALLOW_MULTI), 0);
  EXPECT_TRUE(asked_from_there().starts_with("programs of eBPF hold the control group of who asks"));
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

// The maker of groups, by the system call.
class Traced {
 public:
  explicit Traced(pid_t process) : process_(process) {
    check(::ptrace(PTRACE_SEIZE, process_, nullptr, PTRACE_O_TRACESYSGOOD), "ptrace");
    check(::ptrace(PTRACE_INTERRUPT, process_, nullptr, nullptr), "ptrace");
    (void)::waitpid(process_, nullptr, 0);
  }
  ~Traced() { (void)::ptrace(PTRACE_DETACH, process_, nullptr, nullptr); }
  Traced(const Traced&) = delete;
  Traced& operator=(const Traced&) = delete;

  // Stands before it writes to a file of this name.
  void run_to_write(const std::string& name) const {
    for (int stop = 0; stop < 100'000; ++stop) {
      check(::ptrace(PTRACE_SYSCALL, process_, nullptr, nullptr), "ptrace");
      (void)::waitpid(process_, nullptr, 0);
      __ptrace_syscall_info call{};
      (void)::ptrace(PTRACE_GET_SYSCALL_INFO, process_, sizeof call, &call);
      if (call.op != PTRACE_SYSCALL_INFO_ENTRY || call.entry.nr != SYS_write) continue;
      std::error_code none;
      const std::string file = "/proc/" + std::to_string(process_) + "/fd/" + std::to_string(call.entry.args[0]);
      if (std::filesystem::read_symlink(file, none).filename() == name) return;
    }
    throw SysError(ETIMEDOUT, "waiting for a write", name);
  }

 private:
  pid_t process_;
};

// Who has this number (clone3(2), Linux 5.5), is that user's, and waits to be killed.
sys::Child stranger_with(pid_t number, uid_t user) {
  const sys::Pipe ready = sys::make_pipe();
  char byte = 0;
  clone_args arguments{};
  arguments.exit_signal = SIGCHLD;
  arguments.set_tid = reinterpret_cast<std::uintptr_t>(&number);
  arguments.set_tid_size = 1;
  const auto pid = static_cast<pid_t>(check(::syscall(SYS_clone3, &arguments, sizeof arguments), "clone3"));
  if (pid == 0) {
    sys::set_ids(user, user);
    (void)!::write(ready.write.get(), &byte, 1);
    for (;;) ::pause();
  }
  (void)!::read(ready.read.get(), &byte, 1);
  return {pid, sys::pidfd_open(pid)};
}

// The child dies when all has been looked at, and its number is that of a child of ours, of that user, when it is
// written: the group of this one then.
std::string group_of_caught(const std::string& socket, pid_t maker_of_groups, uid_t user) {
  sys::Pipe to_ann = sys::make_pipe(), from_ann = sys::make_pipe();
  const sys::Child ann = sys::fork_into(0);
  if (ann.pid == 0) {
    sys::set_ids(kAnn, kAnn);
    const Line line(socket);
    Child child;
    pid_t number = child.pid();
    (void)line.ask_only({.ask = Ask::Group}, child.pidfd().get());
    (void)!::write(from_ann.write.get(), &number, sizeof number);
    (void)!::read(to_ann.read.get(), &number, 1);
    child.end();
    (void)!::write(from_ann.write.get(), &number, sizeof number);
    ::_exit(line.hear().refused == "the child has ended" ? 0 : 1);
  }
  sys::Child stranger;
  {
    const Traced maker(maker_of_groups);
    pid_t number = 0, ignored = 0;
    (void)!::read(from_ann.read.get(), &number, sizeof number);
    maker.run_to_write("cgroup.procs");
    (void)!::write(to_ann.write.get(), "x", 1);
    (void)!::read(from_ann.read.get(), &ignored, sizeof ignored);
    stranger = stranger_with(number, user);
  }
  EXPECT_EQ(sys::reap(ann.pid).status, 0);
  const auto groups = sys::find_groups(stranger.pid);
  (void)sys::pidfd_send_signal(stranger.pidfd, SIGKILL);
  (void)sys::reap(stranger.pid);
  return groups ? groups->own : "";
}

TEST_F(Groups, AStrangerIsNotCaught) {
  const pid_t maker = sys::children_of(jaild().pid()).at(0);
  EXPECT_EQ(group_of_caught(socket(), maker, ::geteuid()), sys::find_groups()->own);
}

// As if handed on to us: else who asks would have a process of its own put where a reaper of root's is.
TEST_F(Groups, WhoeverIsHandedOnStays) {
  const pid_t maker = sys::children_of(jaild().pid()).at(0);
  EXPECT_NE(group_of_caught(socket(), maker, kAnn), sys::find_groups()->own);
}

}  // namespace
}  // namespace jail::broker
