#include "run/build.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <iterator>

#include "base/error.h"
#include "monitor/calls.h"
#include "run/init.h"
#include "run/stages.h"
#include "run/supervise.h"
#include "sys/file.h"
#include "sys/socket.h"

namespace jail::run {
namespace {

constexpr int kMostSetupMs = 30'000;  // a dead network file system among the grants must not hang the caller for ever
constexpr int kMostKillMs = 2'000;    // who sleeps in a dead file system does not die of SIGKILL

// A process is found by its number below /proc, so both must be of one pid namespace (pid_namespaces(7)).
bool proc_speaks_our_numbers() {
  char self[16];
  const ssize_t size = ::readlink("/proc/self", self, sizeof self);
  return size > 0 && std::string(self, static_cast<std::size_t>(size)) == std::to_string(::getpid());
}

BuildFailure failure_of(const Report& report) {
  std::string reason = report.text[0] != '\0' ? report.text : std::strerror(report.error);
  if (report.error == ESTALE) reason += " (it changed while the jail was being built)";
  return {report.stage, std::move(reason), report.error};
}

BuildFailure gone(const char* who) {
  return {"pid", std::string(who) + " was killed while the jail was being built", ECHILD};
}

confine::seccomp::Program compile_filter(const Plan& plan, const Fd& handover) {
  if (!handover) return confine::seccomp::compile(plan.seccomp);
  const monitor::Traced shares = monitor::shares_of(plan.monitor);
  return confine::seccomp::compile(
      confine::seccomp::observed(plan.seccomp, monitor::observations(plan.monitor.files, shares)));
}

Worker start_builder(const Worker& init, Fd root, const Plan& plan, const StdioPlan& stdio, StdioEnds& ends,
                     const std::vector<int>& passed, Fd handover, const Fd* group) {
  const confine::seccomp::Program filter = compile_filter(plan, handover);
  sys::SocketPair pair = sys::socket_pair();
  sys::Child child = group != nullptr ? sys::fork_into_group(*group) : sys::fork_into(0);
  if (child.pid == 0) {
    pair.ours.reset();
    Material material{.plan = &plan,
                      .stdio = &stdio,
                      .ends = std::move(ends),
                      .filter = filter,
                      .handover = std::move(handover),
                      .passed = passed,
                      .init = Fd(::dup(init.pidfd().get())),
                      .root = std::move(root)};
    become_plugin(std::move(material), std::move(pair.theirs));
  }
  for (Fd& end : ends.plugin) end.reset();
  return {std::move(child), std::move(pair.ours)};
}

// While pid 1 can still be looked at: it waits for the view.
std::vector<Fd> open_network(pid_t init) {
  std::vector<Fd> namespaces;
  for (const char* name : {"user", "net"})
    namespaces.push_back(
        sys::open_at("/proc/" + std::to_string(init) + "/ns/" + name, O_RDONLY, sys::Resolve::Anything));
  return namespaces;
}

}  // namespace

Worker::Worker(Worker&& other) noexcept
    : child_{std::exchange(other.child_.pid, 0), std::move(other.child_.pidfd)}, socket_(std::move(other.socket_)) {}

Worker& Worker::operator=(Worker&& other) noexcept {
  std::swap(child_.pid, other.child_.pid);
  std::swap(child_.pidfd, other.child_.pidfd);
  std::swap(socket_, other.socket_);
  return *this;
}

sys::Ended Worker::end() noexcept {
  sys::Ended ended;
  if (child_.pid <= 0) return ended;
  (void)::kill(child_.pid, SIGKILL);  // a child of ours, not reaped yet: the number cannot be anybody else's
  while (::wait4(child_.pid, &ended.status, 0, &ended.usage) < 0 && errno == EINTR) {}
  ended.pid = std::exchange(child_.pid, 0);
  return ended;
}

void Worker::end_within(int ms) noexcept {
  if (child_.pid <= 0) return;
  (void)::kill(child_.pid, SIGKILL);
  pollfd ended{child_.pidfd.get(), POLLIN, 0};
  if (TEMP_FAILURE_RETRY(::poll(&ended, 1, ms)) == 0) child_.pid = 0;
  (void)end();
}

void Worker::end_last() noexcept {
  if (child_.pid <= 0) return;
  (void)::kill(child_.pid, SIGKILL);
  for (pid_t reaped = 0; reaped != child_.pid;) {
    reaped = ::wait4(-1, nullptr, 0, nullptr);
    if (reaped < 0 && errno != EINTR) break;
  }
  child_.pid = 0;
}

std::variant<Worker, BuildFailure> start_init(const confine::identity::Plan& identity, Placement& group) {
  if (!proc_speaks_our_numbers())
    return BuildFailure{"proc", "/proc is that of another pid namespace: mount one of this (unshare --mount-proc)",
                        ENOENT};
  sys::SocketPair pair = sys::socket_pair();
  int error = 0;
  const Fd* folder = group.folder();
  sys::Child child = folder != nullptr ? sys::try_fork_into_group(*folder, confine::namespaces::kFirst, error)
                                       : sys::try_fork_into(confine::namespaces::kFirst, error);
  if (error != 0)
    return BuildFailure{"userns", SysError(error, "clone").what() + (": " + confine::namespaces::explain(error)),
                        error};
  if (child.pid == 0) {
    pair.ours.reset();
    become_init(std::move(pair.theirs), identity.uid, identity.gid, identity.by_root ? Maps::ByLauncher : Maps::OwnId,
                group.is_lent() ? InGroup::Later : InGroup::FromTheStart);
  }
  Worker init(std::move(child), std::move(pair.ours));
  group.ask_for(init.pidfd());
  if (identity.by_root) {
    confine::identity::write_maps(identity, init.pid());
    send_proceed(init.socket());
  }
  return init;
}

Construction::Construction(Worker init, const Plan& plan, const StdioPlan& stdio, StdioEnds& ends,
                           const Placement& group, const std::vector<int>& passed, Fd handover)
    : init_(std::move(init)), wants_findings_(wants_findings(plan)), wants_network_(!plan.egress.in.empty()),
      ruleset_(plan.wall ? &*plan.wall : nullptr) {
  // The builder needs what pid 1 has standing by now: its report is read first, so that a failure of pid 1 is named.
  std::optional<Received> standing = receive_report(init_.socket());
  if (group.is_lent()) send_proceed(init_.socket());
  if (standing && standing->report.kind == ReportKind::Standing && !standing->descriptors.empty())
    builder_ = start_builder(init_, std::move(standing->descriptors.front()), plan, stdio, ends, passed,
                             std::move(handover), group.folder());
  else if (standing) failure_ = failure_of(standing->report);
  else failure_ = gone("the jail's first process");
}

// A plugin that was forked but not heard of is a child of ours by no number we know, and until it is reaped pid 1
// cannot end (zap_pid_ns_processes: it waits for every number of its namespace).
Construction::~Construction() {
  builder_.end_within(kMostKillMs);
  init_.end_last();
}

std::variant<Jail, BuildFailure> Construction::wait_ready(const Fd& signals, Proc proc) {
  while (!failure_ && !done()) {
    pollfd polled[] = {
        {init_.socket().get(), POLLIN, 0}, {builder_.socket().get(), POLLIN, 0}, {signals.get(), POLLIN, 0}};
    const int ready = check(TEMP_FAILURE_RETRY(::poll(polled, 3, kMostSetupMs)), "poll");
    if (ready == 0) return too_slow();
    if (polled[0].revents != 0) hear_init(proc);
    if (polled[1].revents != 0 && !failure_) hear_builder();
    if (polled[2].revents != 0 && pending_signal(signals))
      return BuildFailure{"pid", "a signal ended the run before the plugin was started", EINTR};
  }
  if (failure_) return *failure_;
  (void)sys::reap(builder_.pid());  // it ended when it had forked the plugin
  builder_.reaped();
  Jail jail{.init = std::move(init_), .plugin = {}, .masters = std::move(masters_)};
  const pid_t pid = sys::number_of(plugin_);
  jail.plugin = Worker({pid, std::move(plugin_)}, std::move(builder_).take_socket());
  return jail;
}

BuildFailure Construction::too_slow() const {
  if (examines_) return {"integrity", "reading the plugin's files for their digests took longer than 30 s", ETIMEDOUT};
  return {"mount", "building the jail took longer than 30 s", ETIMEDOUT};
}

void Construction::hear_init(Proc proc) {
  std::optional<Received> received = receive_report(init_.socket());
  if (!received) {
    failure_ = gone("the jail's first process");
    return;
  }
  const Report& report = received->report;
  if (report.kind == ReportKind::Sealed) {
    sealed_ = true;
  } else if (report.kind == ReportKind::Complete && report.error == 0) {
    go_on();
  } else if (report.kind == ReportKind::Complete && proc == Proc::MayBeAbsent &&
             confine::namespaces::classify(report.error) != confine::namespaces::Refusal::Exhausted) {
    without_proc_ = report.text;
    go_on();
  } else {
    failure_ = failure_of(report);
  }
}

void Construction::go_on() {
  if (wants_network_) network_ = open_network(init_.pid());
  send_proceed(builder_.socket());
}

// While the builder goes on. What has run out may be there the next time.
void Construction::raise_wall(Received offered) {
  int error = offered.report.error;
  if (offered.descriptors.size() == 2) {
    wall_ = {std::move(offered.descriptors[0]), std::move(offered.descriptors[1])};
    error = egress::raise_wall(wall_, *ruleset_);
  }
  if (error == 0) return;
  wall_ = {};
  const std::string reason = std::string("nf_tables: ") + std::strerror(error);
  if (egress::is_exhaustion(error)) failure_ = BuildFailure{"net", reason, error};
  without_wall_ = "the kernel holds no wall (" + reason + "): the relay alone decides";
}

void Construction::hear_builder() {
  std::optional<Received> received = receive_report(builder_.socket());
  if (!received) {
    failure_ = gone("the process that builds it");
    return;
  }
  if (received->report.kind == ReportKind::Entered) {
    send_proceed(init_.socket());
    examines_ = wants_findings_;
  } else if (received->report.kind == ReportKind::Doors) {
    std::ranges::move(received->descriptors, std::back_inserter(doors_));
  } else if (received->report.kind == ReportKind::Wall && ruleset_ != nullptr) {
    raise_wall(std::move(*received));
  } else if (received->report.kind == ReportKind::Examined && !received->descriptors.empty()) {
    findings_ = unpack(received->descriptors.front());
  } else if (received->report.kind == ReportKind::Ready && !received->descriptors.empty()) {
    plugin_ = std::move(received->descriptors.front());
    for (std::size_t i = 1; i < received->descriptors.size(); ++i)
      masters_.push_back(std::move(received->descriptors[i]));
  } else {
    failure_ = failure_of(received->report);
  }
}

}  // namespace jail::run
