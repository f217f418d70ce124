// The order of confinement. Pid 1 (init.cc) has made the namespaces; the builder joins them, builds the view, gives up
// its powers and forks the plugin, because a process enters a pid namespace only by its children.
//
// Each stage says why it stands where it stands. A failed stage ends the process after telling the supervisor which
// layer and why; a half-built jail never runs the plugin.
#include "run/stages.h"

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <iterator>

#include "base/error.h"
#include "egress/dns_clients.h"
#include "egress/doors.h"
#include "egress/wall.h"
#include "monitor/listener.h"
#include "run/findings.h"
#include "run/protocol.h"
#include "sys/capabilities.h"
#include "sys/process.h"
#include "sys/route.h"
#include "sys/socket.h"
#include "sys/socket_diag.h"

namespace jail::run {
namespace {

// What one stage leaves for the next.
struct Site {
  Material material;
  const Fd& supervisor;     // outlives it: a failure is told after everything else is gone
  std::vector<Fd> anchors;  // what is granted, opened
  Terminals terminals;

  [[nodiscard]] const Plan& plan() const { return *material.plan; }
};

struct Stage {
  std::string_view layer;  // what the operator and the log see when it fails
  void (*apply)(Site&);
};

void close_descriptors(Site& site) {
  std::vector<int> keep = site.material.passed;
  keep.push_back(site.supervisor.get());
  keep.push_back(site.material.init.get());
  keep.push_back(site.material.root.get());
  if (site.material.handover) keep.push_back(site.material.handover.get());
  for (const Fd& end : site.material.ends.plugin)
    if (end) keep.push_back(end.get());
  if (site.material.ends.nowhere) keep.push_back(site.material.ends.nowhere.get());
  std::sort(keep.begin(), keep.end());
  sys::close_from(3, keep);
}

void be_killable(Site&) { sys::be_killable_for_memory(); }

// Root keeps its power over the host until the granted paths are open, wherever they lie; an ordinary user has none to
// keep and may join both namespaces only together.
void join_mounts(Site& site) {
  using namespace confine::namespaces;
  sys::join_namespaces(site.material.init, site.plan().identity.by_root ? kMounts : kMounts | kUser);
}

void open_grants(Site& site) { site.anchors = confine::view::open_anchors(site.plan().view); }

void join_user(Site& site) {
  if (site.plan().identity.by_root) sys::join_namespaces(site.material.init, confine::namespaces::kUser);
}

// The death signal binds the builder to the supervisor; joining has just cleared one set before.
void take_identity(Site& site) {
  confine::identity::enforce(site.plan().identity);
  sys::set_parent_death_signal(SIGKILL);
}

void build_view(Site& site) { confine::view::build(site.plan().view, site.material.root, site.anchors); }

void wait_for_init(Site& site) {
  if (!receive_proceed(site.supervisor)) ::_exit(1);
}

void enter_view(Site& site) {
  confine::view::enter(site.material.root);
  site.material.root.reset();
}

void join_rest(Site& site) {
  sys::join_namespaces(site.material.init, confine::namespaces::rest_of(site.plan().namespaces));
  site.material.init.reset();
}

void open_doors(Site& site) {
  if (site.plan().egress.reach == egress::Plan::Reach::Abroad) sys::make_every_address_local();
  std::vector<Fd> doors = egress::open_doors(site.plan().egress.out);
  if (site.plan().egress.resolver == egress::Plan::Resolver::Own) {
    std::vector<Fd> resolver = egress::list_of(egress::open_resolver_sockets(egress::kDnsPort));
    std::ranges::move(resolver, std::back_inserter(doors));
  }
  if (site.plan().wall) egress::mark_as_doors(doors);
  if (site.plan().wall) egress::take_all_ports(doors, site.plan().egress);
  for (std::size_t first = 0; first < doors.size(); first += sys::kMostDescriptors) {
    std::vector<int> some;
    for (std::size_t i = first; i < std::min(first + sys::kMostDescriptors, doors.size()); ++i)
      some.push_back(doors[i].get());
    send_report(site.supervisor, report_of(ReportKind::Doors), some);
  }
}

// The supervisor raises it, and keeps it: a socket is of the network that it is made in.
void offer_wall(Site& site) {
  if (!site.plan().wall) return;
  const egress::WallSockets wall = egress::open_wall_sockets();
  const int error = wall.refusals ? 0 : errno;
  std::vector<int> sockets;
  if (wall.refusals) sockets = {wall.changes.get(), wall.refusals.get()};
  send_report(site.supervisor, report_of(ReportKind::Wall, "net", error), sockets);
}

void report_entered(Site& site) { send_report(site.supervisor, report_of(ReportKind::Entered)); }
void make_the_terminals(Site& site) { site.terminals = make_terminals(*site.material.stdio); }
void drop_capabilities(Site&) { sys::drop_all_capabilities(); }

// The kernel's audit tells whose a domain is when it first denies something: this does, before anything of the plugin.
void announce_domain() {
  if (!confine::landlock::verify()) throw SysError(EPERM, "landlock_restrict_self", "it denies nothing");
}

void apply_landlock(Site& site) {
  const std::string& name = site.plan().builder_name;
  sys::set_no_new_privileges();
  if (!name.empty()) sys::set_name(name);
  confine::landlock::enforce(site.plan().landlock, site.anchors);
  site.anchors.clear();
  if (!name.empty()) announce_domain();
}

void examine_files(Site& site) {
  if (!wants_findings(site.plan())) return;
  send_report(site.supervisor, report_of(ReportKind::Examined), {pack(look_at_files(site.plan())).get()});
}

constexpr Stage kBuilderStages[] = {
    {"fds", close_descriptors},           // first: nothing of the supervisor's may be at hand below
    {"limits", be_killable},              // while the host's /proc is there; the plugin is as we are
    {"mount", join_mounts},               // descriptors of another namespace's mounts could not be cloned
    {"mount", open_grants},               // once; by these descriptors they are mounted and get their Landlock rules
    {"userns", join_user},                // with it come the powers that the rest needs, and no other
    {"userns", take_identity},            // before the mounts: files of our tmpfs belong to whoever makes them
    {"mount", build_view},                // before Landlock, which forbids mount(2)
    {"pid", wait_for_init},               // late: /proc and the network come while the view is built
    {"mount", enter_view},                // no path leads to the host's tree from here on
    {"net", join_rest},                   // after the view, for which pid 1's network need not be waited for
    {"net", offer_wall},                  // it is raised while the doors are opened
    {"net", open_doors},                  // with the power over its ports, which goes with the capabilities
    {"pid", report_entered},              // pid 1 takes the host's tree away and forbids further namespaces meanwhile
    {"fds", make_the_terminals},          // in the view: of the jail's own devpts
    {"capabilities", drop_capabilities},  // the stages above still needed some
    {"landlock", apply_landlock},         // in the final mounts, by the descriptors that were mounted
    {"integrity", examine_files},         // last: with no power the plugin has not, so no file leads us astray
};

void connect_descriptors(Site& site) {
  connect_stdio(*site.material.stdio, site.material.ends, site.terminals);
  sys::close_on_exec_from(3);
  for (const int fd : site.material.passed) sys::keep_on_exec(fd);
}

void enter_folder(Site& site) {
  const std::string& folder = site.plan().view.cwd;
  check(::chdir(folder.c_str()), "chdir", folder);
}

void take_umask(Site& site) { ::umask(static_cast<mode_t>(site.plan().umask)); }

void apply_limits(Site& site) { confine::limits::enforce(site.plan().limits); }

void wait_for_go(Site& site) {
  const Fd self = sys::pidfd_open(::getpid());
  std::vector<int> descriptors{self.get()};
  for (const Fd& master : site.terminals.masters) descriptors.push_back(master.get());
  send_report(site.supervisor, report_of(ReportKind::Ready), descriptors);
  site.terminals.masters.clear();
  if (!receive_proceed(site.supervisor)) ::_exit(1);
}

// What the plugin gets of signals is the default: a host that ignores SIGCHLD or blocks SIGTERM does not pass it on.
void reset_signals(Site&) {
  for (int signal = 1; signal < NSIG; ++signal)
    if (signal != SIGKILL && signal != SIGSTOP) (void)::signal(signal, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  check(::sigprocmask(SIG_SETMASK, &none, nullptr), "sigprocmask");
}

// The supervisor takes the filter's listener out of this process, as it may read the program's memory afterwards. A
// change of ids or of the user namespace has made that impossible for an ordinary user's.
void become_readable(Site&) { sys::set_dumpable(sys::Dumpable::Yes); }

constexpr Stage kPluginStages[] = {
    {"fds", connect_descriptors},
    {"mount", enter_folder},   // in the view, under Landlock: a folder it may not enter is an error now
    {"mount", take_umask},     // the caller's; nothing of ours is made from here on
    {"limits", apply_limits},  // here: they bind this process and what it starts, not pid 1
    {"pid", wait_for_go},      // the log says run.started before anything of the plugin runs
    {"monitor", become_readable},  // last: nothing of the supervisor's is at hand, and nobody else is in the jail
    {"fds", reset_signals},    // after the wait: a signal meant for the plugin finds it with default actions
                               // the filter is missing on purpose: it belongs to the last yard, seal_and_exec().
};

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> all;
  for (const std::string& text : texts) all.push_back(const_cast<char*>(text.c_str()));
  all.push_back(nullptr);
  return all;
}

// With a listener, which the supervisor gets before the first call of ours that it would be notified of: execve(2).
// Where there is none to be had any more, the same denials without it, but for a jail whose connections are made by it.
int seal(const Material& material) {
  if (!material.handover) return confine::seccomp::enforce(material.filter);
  const int sockets = sys::open_socket_diag();  // before the filter, which knows no such family
  const int listener = confine::seccomp::enforce_listening(material.filter);
  if (listener != -EBUSY) {
    if (listener >= 0) monitor::hand_over(material.handover.get(), listener, sockets);
    return std::min(listener, 0);
  }
  if (material.plan->connections == monitor::Connections::BySupervisor) return listener;
  const int sealed = confine::seccomp::enforce(confine::seccomp::compile(material.plan->seccomp));
  if (sealed >= 0) monitor::hand_over(material.handover.get(), listener, sockets);
  return sealed;
}

// The last yard: past the filter nothing may allocate, log or throw. Tries each candidate as execvp(3) does; answers
// with the errno that says most: a file that was found but may not be run beats one that is not there.
Report seal_and_exec(const Material& material, const std::vector<char*>& candidates, const std::vector<char*>& argv,
                     const std::vector<char*>& environment) noexcept {
  Report report;
  report.kind = ReportKind::ExecFailed;
  report.error = ENOENT;
  if (const int sealed = seal(material); sealed < 0) {
    report.kind = ReportKind::Failed;
    report.error = -sealed;
    return report;
  }
  for (std::size_t i = 0; candidates[i] != nullptr; ++i) {
    ::execve(candidates[i], argv.data(), environment.data());
    if (errno != ENOENT && errno != ENOTDIR) report.error = errno;
  }
  return report;
}

void apply_all(const Stage* begin, const Stage* end, Site& site, std::string_view& current) {
  for (const Stage* stage = begin; stage != end; ++stage) {
    current = stage->layer;
    stage->apply(site);
  }
}

[[noreturn]] void be_plugin(Site& site, std::string_view& current) {
  apply_all(std::begin(kPluginStages), std::end(kPluginStages), site, current);
  current = "seccomp";
  const Plan& plan = site.plan();
  const std::vector<char*> candidates = pointers(plan.command.candidates);
  const std::vector<char*> argv = pointers(plan.command.argv);
  const std::vector<char*> environment = pointers(plan.environment.variables);
  send_report_raw(site.supervisor.get(), seal_and_exec(site.material, candidates, argv, environment));
  ::_exit(127);
}

}  // namespace

void become_plugin(Material material, Fd supervisor) noexcept {
  std::string_view current;
  try {
    Site site{.material = std::move(material), .supervisor = supervisor, .anchors = {}, .terminals = {}};
    apply_all(std::begin(kBuilderStages), std::end(kBuilderStages), site, current);
    current = "pid";
    if (sys::fork_sibling().pid == 0) be_plugin(site, current);  // our parent's child: the supervisor reaps it
    ::_exit(0);
  } catch (const SysError& error) {
    send_report_raw(supervisor.get(), report_of(ReportKind::Failed, current, error.error(), error.what()));
  } catch (const std::exception& error) {
    send_report_raw(supervisor.get(), report_of(ReportKind::Failed, current, 0, error.what()));
  }
  ::_exit(1);
}

}  // namespace jail::run
