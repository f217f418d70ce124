// Read top down: the stages of pid 1, then its loop. It handles no signal, so none from inside the jail has an effect;
// it is undumpable, under a Landlock domain that allows nothing and a filter of a dozen calls (SECURITY D4).
#include "run/init.h"

#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "base/error.h"
#include "confine/identity.h"
#include "confine/landlock.h"
#include "confine/namespaces.h"
#include "confine/seccomp.h"
#include "confine/view.h"
#include "run/protocol.h"
#include "sys/capabilities.h"
#include "sys/process.h"

namespace jail::run {
namespace {

struct Keeper {
  const Fd& supervisor;  // outlives it: a failure is told after everything else is gone
  std::uint32_t uid;
  std::uint32_t gid;
  Maps maps;
  InGroup in_group;
  Fd settings;  // /proc/sys
  Fd root;      // of the view
  Fd children;  // signalfd
};

struct Stage {
  std::string_view name;
  void (*apply)(Keeper&);
};

void forget_environment(Keeper&) { sys::forget_environment(); }

void close_descriptors(Keeper& keeper) { sys::close_from(0, {keeper.supervisor.get()}); }

void be_killable(Keeper&) { sys::be_killable_for_memory(); }

void die_with_supervisor(Keeper&) { sys::set_parent_death_signal(SIGKILL); }

void take_identity(Keeper& keeper) {
  if (keeper.maps == Maps::OwnId) return confine::identity::write_own_maps(keeper.uid, keeper.gid);
  if (!receive_proceed(keeper.supervisor)) ::_exit(1);  // the launcher has written them
  sys::set_groups_empty();
  sys::set_ids(keeper.uid, keeper.gid);
  // The builder, by then of the same ids, may join namespaces of a process it could ptrace; guard() ends that again.
  sys::set_dumpable(sys::Dumpable::Yes);
  sys::set_parent_death_signal(SIGKILL);
}

void make_private(Keeper&) { confine::namespaces::make_private(); }

void open_settings(Keeper& keeper) { keeper.settings = confine::namespaces::open_settings(); }

void make_root(Keeper& keeper) { keeper.root = confine::view::make_root(); }

void report_standing(Keeper& keeper) {
  send_report(keeper.supervisor, report_of(ReportKind::Standing), {keeper.root.get()});
}

void wait_for_group(Keeper& keeper) {
  if (keeper.in_group == InGroup::Later && !receive_proceed(keeper.supervisor)) ::_exit(1);
}

void make_rest(Keeper& keeper) {
  confine::namespaces::make_rest();
  confine::namespaces::free_low_ports(keeper.settings);
}

// A container that masks parts of /proc forbids a new one. Whether the run goes on without is the profile's to say.
void report_complete(Keeper& keeper) {
  try {
    confine::view::attach_proc(keeper.root);
    send_report(keeper.supervisor, report_of(ReportKind::Complete));
  } catch (const SysError& error) {
    send_report(keeper.supervisor, report_of(ReportKind::Complete, "proc", error.error(), error.what()));
  }
}

void wait_for_the_view(Keeper& keeper) {
  keeper.root.reset();
  if (!receive_proceed(keeper.supervisor)) ::_exit(1);
}

void leave_host(Keeper&) { confine::view::leave_host(); }

void forbid_namespaces(Keeper& keeper) {
  confine::namespaces::forbid_more(keeper.settings);
  keeper.settings.reset();
}

void drop_privileges(Keeper&) {
  sys::drop_own_capabilities();
  sys::set_no_new_privileges();
  confine::landlock::enforce_nothing_allowed(confine::landlock::probe());
}

// After the last change of credentials, which clears both.
void guard(Keeper&) {
  sys::set_dumpable(sys::Dumpable::No);
  sys::set_parent_death_signal(SIGKILL);
  if (sys::dumpable() != sys::Dumpable::No || sys::parent_death_signal() != SIGKILL)
    throw SysError(EINVAL, "prctl", "read back");
}

void watch_children(Keeper& keeper) {
  sigset_t wanted;
  sigemptyset(&wanted);
  sigaddset(&wanted, SIGCHLD);
  check(::sigprocmask(SIG_BLOCK, &wanted, nullptr), "sigprocmask");
  keeper.children = Fd(check(::signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK), "signalfd"));
}

void report_sealed(Keeper& keeper) { send_report(keeper.supervisor, report_of(ReportKind::Sealed)); }

void install_filter(Keeper&) {
  const confine::seccomp::Program filter = confine::seccomp::init_program();
  if (const int sealed = confine::seccomp::enforce(filter); sealed < 0) throw SysError(-sealed, "seccomp");
}

constexpr Stage kStages[] = {
    {"fds", close_descriptors},    // first: nothing of the supervisor's may be at hand below
    {"pid", die_with_supervisor},  // once now, once more when the credentials no longer change
    {"limits", be_killable},       // of the host's /proc; whoever is immune would stand still at limits.memory
    {"userns", take_identity},     // before anything is made that has an owner
    {"mount", make_private},       // before the first mount: none may come in from the host, or leak out
    {"userns", open_settings},     // the host's /proc is out of reach from the next stage on
    {"mount", make_root},          // what every view has
    {"pid", report_standing},      // the builder starts from here, the rest is made while it works
    {"pid", wait_for_group},   // which is the highest that is to be seen from the namespace of groups
    {"net", make_rest},
    {"proc", report_complete},  // by pid 1 itself: a /proc shows the namespace of whoever makes it
    {"env", forget_environment},
    {"pid", watch_children},  // before the filter, which knows no signalfd(2)
    {"pid", wait_for_the_view},
    {"mount", leave_host},          // here: the builder goes on meanwhile, the plugin waits for us anyway
    {"userns", forbid_namespaces},  // after the view: each of its detached mounts counted as a namespace
    {"capabilities", drop_privileges},
    {"pid", guard},
    {"pid", report_sealed},  // the plugin waits for this: until now pid 1 could have been attached to
    {"seccomp", install_filter},
};

[[noreturn]] void wait_for_the_end(int supervisor, int children) noexcept {
  pollfd polled[] = {{supervisor, 0, 0}, {children, POLLIN, 0}};
  for (;;) {
    if (::poll(polled, 2, -1) < 0 && errno != EINTR) ::_exit(1);
    if (polled[0].revents != 0) ::_exit(1);  // the supervisor is gone
    signalfd_siginfo ignored;
    while (::read(children, &ignored, sizeof ignored) > 0) {}
    int status = 0;
    while (::waitpid(-1, &status, WNOHANG) > 0) {}
  }
}

}  // namespace

void become_init(Fd supervisor, std::uint32_t uid, std::uint32_t gid, Maps maps, InGroup in_group) noexcept {
  std::string_view current;
  try {
    Keeper keeper{supervisor, uid, gid, maps, in_group, {}, {}, {}};
    for (const Stage& stage : kStages) {
      current = stage.name;
      stage.apply(keeper);
    }
    wait_for_the_end(keeper.supervisor.get(), keeper.children.get());
  } catch (const SysError& error) {
    send_report_raw(supervisor.get(), report_of(ReportKind::Failed, current, error.error(), error.what()));
  } catch (const std::exception& error) {
    send_report_raw(supervisor.get(), report_of(ReportKind::Failed, current, 0, error.what()));
  }
  ::_exit(1);
}

}  // namespace jail::run
