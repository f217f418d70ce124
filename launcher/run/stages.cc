// The order of confinement. Two processes come out of it: pid 1, which waits and dies with the supervisor, and the plugin.
//
// Each stage says why it stands where it stands. A failed stage ends the child after telling the supervisor which one and
// why; a half-built jail never runs the plugin.
#include "run/stages.h"

#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

#include "base/error.h"
#include "run/init.h"
#include "run/protocol.h"
#include "sys/capabilities.h"
#include "sys/process.h"

namespace jail::run {
namespace {

// What one stage leaves for the next.
struct Site {
  Material material;
  Fd supervisor;
  Fd namespace_limits;
  confine::view::Site view;
  Terminals terminals;

  [[nodiscard]] const Plan& plan() const { return *material.plan; }
};

struct Stage {
  std::string_view name;  // what the operator and the log see when it fails
  void (*apply)(Site&);
};

void close_descriptors(Site& site) {
  std::vector<int> keep = site.material.passed;
  keep.push_back(site.supervisor.get());
  for (const Fd& end : site.material.ends.plugin)
    if (end) keep.push_back(end.get());
  std::sort(keep.begin(), keep.end());
  sys::close_from(3, keep);
}

void apply_identity(Site& site) {
  const confine::identity::Plan& plan = site.plan().identity;
  if (plan.writer == confine::identity::MapWriter::Launcher && !receive_go(site.supervisor)) ::_exit(1);
  confine::identity::enforce(plan);
}

void apply_namespaces(Site& site) { site.namespace_limits = confine::namespaces::enforce(site.plan().namespaces); }
void build_view(Site& site) { site.view = confine::view::build(site.plan().view); }
void attach_proc(Site& site) { confine::view::attach_proc(site.view, site.plan().view); }
void enter_view(Site& site) { confine::view::enter(site.view); }
void apply_terminals(Site& site) { site.terminals = make_terminals(*site.material.stdio); }
void forbid_namespaces(Site& site) { confine::namespaces::forbid_more(site.namespace_limits); }
void drop_capabilities(Site&) { sys::drop_all_capabilities(); }

void apply_landlock(Site& site) {
  sys::set_no_new_privileges();
  confine::landlock::enforce(site.plan().landlock, site.view.anchors);
  site.view = {};
}

// Undumpable: the plugin has the same uid and must not read the supervisor's memory that was copied here, nor its
// environment. The death signal of the supervisor was cleared by the change of ids, if there was one.
void guard_init(Site&) {
  sys::set_dumpable(sys::Dumpable::No);
  sys::set_parent_death_signal(SIGKILL);
  if (sys::dumpable() != sys::Dumpable::No || sys::parent_death_signal() != SIGKILL)
    throw SysError(EINVAL, "prctl", "read back");
}

constexpr Stage kJailStages[] = {
    {"descriptors", close_descriptors},      // first: nothing of the supervisor's may be at hand below
    {"identity", apply_identity},            // before the mounts: tmpfs files belong to whoever makes them
    {"namespaces", apply_namespaces},        // private mounts before the first of our own is made
    {"view", build_view},                    // before Landlock, which forbids mount(2)
    {"proc", attach_proc},                   // by pid 1 itself: it shows the namespace of whoever mounts it
    {"root", enter_view},                    // the host's tree is gone from here on
    {"terminal", apply_terminals},           // in the view: of the jail's own devpts
    {"namespace-lock", forbid_namespaces},   // after the view: each detached mount counts as a namespace
    {"capabilities", drop_capabilities},     // the stages above still needed some
    {"landlock", apply_landlock},            // in the final mounts, by the descriptors that were mounted
    {"init", guard_init},                    // after the last change of ids, which clears both
};

// What the plugin gets of signals is the default: a host that ignores SIGCHLD or blocks SIGTERM does not pass it on.
void reset_signals(Site&) {
  for (int signal = 1; signal < NSIG; ++signal)
    if (signal != SIGKILL && signal != SIGSTOP) (void)::signal(signal, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  check(::sigprocmask(SIG_SETMASK, &none, nullptr), "sigprocmask");
}

void connect_descriptors(Site& site) {
  connect_stdio(*site.material.stdio, site.material.ends, site.terminals);
  sys::close_on_exec_from(3);
  for (const int fd : site.material.passed) sys::keep_on_exec(fd);
}

void apply_limits(Site& site) { confine::limits::enforce(site.plan().limits); }

void enter_folder(Site& site) {
  const std::string& folder = site.plan().view.cwd;
  check(::chdir(folder.c_str()), "chdir", folder);
}

void wait_for_go(Site& site) {
  const Fd self = sys::pidfd_open(::getpid());
  std::vector<int> descriptors{self.get()};
  for (const Fd& master : site.terminals.masters) descriptors.push_back(master.get());
  send_report(site.supervisor, Report{.kind = ReportKind::Ready}, descriptors);
  site.terminals.masters.clear();
  if (!receive_go(site.supervisor)) ::_exit(1);
}

constexpr Stage kPluginStages[] = {
    {"descriptors", connect_descriptors},
    {"cwd", enter_folder},           // in the view, under Landlock: a folder it may not enter is an error now
    {"limits", apply_limits},        // here, not in pid 1: they bind this process and what it starts
    {"go", wait_for_go},             // the log says run.started before anything of the plugin runs
    {"signals", reset_signals},      // after the wait: a signal meant for the plugin finds it with default actions
    // the filter is missing on purpose: it belongs to the last yard, seal_and_exec().
};

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> all;
  for (const std::string& text : texts) all.push_back(const_cast<char*>(text.c_str()));
  all.push_back(nullptr);
  return all;
}

// The last yard: past the filter nothing may allocate, log or throw. Tries each candidate as execvp(3) does; returns the
// errno that says most: a file that was found but may not be run beats one that is not there.
int seal_and_exec(const confine::seccomp::Program& filter, const std::vector<char*>& candidates,
                  const std::vector<char*>& argv, const std::vector<char*>& environment) noexcept {
  if (const int sealed = confine::seccomp::enforce(filter); sealed < 0) return sealed;
  int error = ENOENT;
  for (char* candidate : candidates) {
    if (candidate == nullptr) break;
    ::execve(candidate, argv.data(), environment.data());
    if (errno != ENOENT && errno != ENOTDIR) error = errno;
  }
  return error;
}

void apply_all(const Stage* begin, const Stage* end, Site& site, std::string_view& current) {
  for (const Stage* stage = begin; stage != end; ++stage) {
    current = stage->name;
    stage->apply(site);
  }
}

[[noreturn]] void become_plugin(Site& site, std::string_view& current) {
  apply_all(std::begin(kPluginStages), std::end(kPluginStages), site, current);
  current = "exec";
  const Plan& plan = site.plan();
  const std::vector<char*> candidates = pointers(plan.command.candidates);
  const std::vector<char*> argv = pointers(plan.command.argv);
  const std::vector<char*> environment = pointers(plan.environment.variables);
  const int error = seal_and_exec(site.material.filter, candidates, argv, environment);
  const Report failed = {.kind = error < 0 ? ReportKind::Failed : ReportKind::ExecFailed,
                         .error = error < 0 ? -error : error, .status = 0, .stage = "seccomp", .text = {}};
  send_report_raw(site.supervisor.get(), failed);
  ::_exit(error == ENOENT ? 127 : 126);
}

// Both processes of a jail end in here.
[[noreturn]] void confine_self(Site& site, std::string_view& current) {
  apply_all(std::begin(kJailStages), std::end(kJailStages), site, current);
  current = "fork";
  const sys::Child plugin = sys::fork_into(0);
  if (plugin.pid == 0) become_plugin(site, current);
  be_init(plugin.pid, std::move(site.supervisor), site.material.init_filter);
}

}  // namespace

void become_jail(Material material, Fd supervisor) noexcept {
  const int socket = supervisor.get();
  std::string_view current;
  try {
    Site site{.material = std::move(material), .supervisor = std::move(supervisor), .namespace_limits = {}, .view = {}, .terminals = {}};
    confine_self(site, current);
  } catch (const SysError& error) {
    send_report_raw(socket, report_failure(current, error.error(), error.what()));
  } catch (const std::exception& error) {
    send_report_raw(socket, report_failure(current, 0, error.what()));
  }
  ::_exit(1);
}

}  // namespace jail::run
