#include "run/build.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

#include <cerrno>
#include <cstring>

#include "base/error.h"
#include "run/stages.h"
#include "run/supervise.h"
#include "sys/file.h"
#include "sys/socket.h"

namespace jail::run {
namespace {

constexpr int kMostSetupMs = 30'000;  // a dead network file system among the grants must not hang the caller for ever

// The vocabulary of layers for what failed in a stage.
struct StageLayer {
  std::string_view stage;
  std::string_view layer;
};
constexpr StageLayer kStageLayers[] = {
    {"descriptors", "fds"}, {"identity", "userns"}, {"namespaces", "net"},  {"view", "mount"},
    {"proc", "proc"},       {"root", "mount"},      {"terminal", "fds"},    {"namespace-lock", "userns"},
    {"capabilities", "capabilities"}, {"landlock", "landlock"}, {"init", "pid"}, {"fork", "limits.pids"},
    {"cwd", "mount"},       {"limits", "limits"},   {"signals", "fds"},     {"seccomp", "seccomp"},
};

std::string layer_of(std::string_view stage) {
  for (const StageLayer& row : kStageLayers)
    if (row.stage == stage) return std::string(row.layer);
  return "mount";
}

pid_t host_pid(const Fd& pidfd) {
  const std::string path = "/proc/self/fdinfo/" + std::to_string(pidfd.get());
  const std::string text = sys::read_file(sys::open_at(path, O_RDONLY, sys::Resolve::Anything), 4096);
  const std::size_t field = text.find("\nPid:\t");
  return field == std::string::npos ? 0 : static_cast<pid_t>(std::atoi(text.c_str() + field + 6));
}

Gate gate_of(std::vector<Fd> descriptors) {
  Gate gate;
  gate.plugin = std::move(descriptors.front());
  gate.pid = host_pid(gate.plugin);
  for (std::size_t i = 1; i < descriptors.size(); ++i) gate.masters.push_back(std::move(descriptors[i]));
  return gate;
}

std::string reason_of(const std::string& text, int error) {
  return error == ESTALE ? text + " (it changed while the jail was being built)" : text;
}

}  // namespace

Jail::~Jail() { kill(); }

void Jail::kill() noexcept {
  if (init_.pid == 0) return;
  (void)::kill(init_.pid, SIGKILL);  // it is our child and not reaped yet: the number cannot be anybody else's
  rusage usage{};
  int status = 0;
  while (::wait4(init_.pid, &status, 0, &usage) < 0 && errno == EINTR) {
  }
  init_.pid = 0;
}

std::variant<Jail, BuildFailure> start(const Plan& plan, const StdioPlan& stdio, StdioEnds& ends,
                                       const std::vector<int>& passed) {
  Material material{.plan = &plan, .stdio = &stdio, .ends = {}, .filter = confine::seccomp::compile(plan.seccomp),
                    .init_filter = confine::seccomp::init_program(), .passed = passed};
  sys::SocketPair pair = sys::socket_pair();
  sys::Child child;
  try {
    child = sys::fork_into(plan.namespaces.flags);
  } catch (const SysError& error) {
    return BuildFailure{"userns", std::string(error.what()) + ": " + confine::namespaces::explain(error.error()), error.error()};
  }
  if (child.pid == 0) {
    pair.ours.reset();
    material.ends = std::move(ends);
    become_jail(std::move(material), std::move(pair.theirs));
  }
  Jail jail(std::move(child), std::move(pair.ours));
  for (Fd& end : ends.plugin) end.reset();
  if (plan.identity.writer == confine::identity::MapWriter::Launcher) {
    confine::identity::write_maps(plan.identity, jail.init().pid);
    send_go(jail.socket());
  }
  return jail;
}

BuildFailure failure_of(const Report& report) {
  return {layer_of(report.stage), reason_of(report.text[0] != '\0' ? report.text : std::strerror(report.error), report.error),
          report.error};
}

std::variant<Gate, BuildFailure> wait_ready(const Jail& jail, const Fd& signals) {
  pollfd polled[] = {{jail.socket().get(), POLLIN, 0}, {signals.get(), POLLIN, 0}};
  while (polled[0].revents == 0) {
    const int ready = check(TEMP_FAILURE_RETRY(::poll(polled, 2, kMostSetupMs)), "poll");
    if (ready == 0) return BuildFailure{"mount", "building the jail took longer than 30 s", ETIMEDOUT};
    if (polled[0].revents == 0 && pending_signal(signals))
      return BuildFailure{"pid", "a signal ended the run before the plugin was started", EINTR};
  }
  std::optional<Received> received = receive_report(jail.socket());
  if (!received) return BuildFailure{"pid", "the jail's first process was killed", ECHILD};
  if (received->report.kind != ReportKind::Ready || received->descriptors.empty()) return failure_of(received->report);
  return gate_of(std::move(received->descriptors));
}

}  // namespace jail::run
