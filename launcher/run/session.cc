// The order of a run: pid 1 of the jail, then profile and plan while it makes its namespaces; the builder, and while it
// works the log opened and run.started made ready; then the record, the word to proceed, and the watch.
#include "run/session.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <memory>
#include <variant>

#include "base/error.h"
#include "base/random.h"
#include "confine/landlock_rights.h"
#include "monitor/listener.h"
#include "profile/choices.h"
#include "run/auditing.h"
#include "run/build.h"
#include "run/channels.h"
#include "run/destinations.h"
#include "run/exit_status.h"
#include "run/facts.h"
#include "run/findings.h"
#include "run/group.h"
#include "run/guard.h"
#include "run/looks.h"
#include "run/passed.h"
#include "run/record.h"
#include "run/status.h"
#include "run/supervise.h"
#include "run/tracing.h"
#include "run/way_out.h"
#include "sys/socket.h"

namespace jail::run {
namespace {

using Digests = std::map<std::string, std::string>;  // of monitor.hash, by path

event::Event of_ours(event::Body body) {
  return {.body = std::move(body), .source = event::Source::Supervisor, .process = {}, .pid = {}, .jail_pid = {}};
}

// Everything that lasts from the first refusal on to the last record.
class Session {
 public:
  explicit Session(const Options& options)
      : options_(options),
        status_(options.status_fd),
        passed_(plan_passed(options.pass_fds)),
        channel_problem_(problem_with_channels(options.audit, options.status_fd, options.pass_fds)),
        signals_(open_signals()),
        parent_(open_parent()) {}

  Result run() {
    if (channel_problem_) return refuse_log(*channel_problem_);
    const sys::delegation::Support& by_group = group_.placement().make(options_.wanted.broker);
    if (::geteuid() != 0) start_early();
    prepared_ = prepare(options_.wanted, State::Make);
    result_.diagnostics = prepared_.diagnostics;
    result_.remarks = remarks(prepared_, options_.wanted);
    if (profile::has_errors(prepared_.diagnostics)) return refuse_profile();
    control_ = registry::ControlSocket(run_, prepared_.profile.name);  // who disables it sees it, or it sees that
    // Looked for once that is there: who disables a profile and then ends what lives misses no run.
    if (const auto refusal = disabled(prepared_)) return refuse(std::vector{*refusal});
    while (group_.placement().settle(confine::limits::needed(prepared_.profile.limits), [this] { init_ = Worker(); }))
      if (::geteuid() != 0) start_early();
    plan_ = plan_for(prepared_, options_.wanted, by_group, tracing_.access);
    plan_.umask = umask_;
    plan_.builder_name = auditing_.name_for(plan_);
    stdio_ = plan_stdio(plan_.identity.uid);
    keep_own_descriptors();
    for (const std::string& problem : {stdio_.problem, passed_.problem})
      if (!problem.empty()) plan_.refusals.push_back({"fds", problem, {}, {}});
    plan_.passed = passed_.seen;
    if (!plan_.refusals.empty()) return refuse(plan_.refusals);
    if (::geteuid() == 0) init_ = start_init(plan_.identity, group_.placement());
    if (const auto* failure = std::get_if<BuildFailure>(&init_)) return refuse(*failure);
    return build();
  }

 private:
  // At once: if it ends while the jail is being built, our next parent is a reaper of orphans, which never ends.
  static Fd open_parent() {
    const pid_t parent = ::getppid();
    return parent > 0 ? sys::pidfd_open(parent) : Fd();
  }

  // Where we go on writing when the plugin has closed its own: `--audit-fd 1`.
  void keep_own_descriptors() {
    std::vector<int> own{options_.status_fd};
    for (const audit::Target& target : options_.audit)
      if (const auto* descriptor = std::get_if<audit::Descriptor>(&target)) own.push_back(descriptor->number);
    for (const int fd : own)
      if (fd >= 0 && fd < 3) stdio_.kept[static_cast<std::size_t>(fd)] = true;
  }

  // An ordinary user's pid 1 needs nothing of the profile: its namespaces are made while the profile is read. Root's
  // has to wait for `user:`.
  void start_early() {
    const confine::identity::Launcher who = launcher();
    init_ = start_init({.uid = who.uid, .gid = who.gid, .by_root = false, .kept_groups = {}, .problem = {}},
                       group_.placement());
  }

  Result build() {
    auto guard = Guard::watch(plan_.view);  // before anything is opened that is built upon
    if (const auto* refusal = std::get_if<Refusal>(&guard)) return refuse(std::vector{*refusal});
    guard_ = std::move(std::get<Guard>(guard));
    if (const auto refusal = tracing_.take_group(plan_, group_.placement())) return refuse(std::vector{*refusal});
    tracing_.ask(plan_, std::get<Worker>(init_));
    if (const auto refusal = way_out_.listen(plan_)) return refuse(std::vector{*refusal});
    StdioEnds ends = make_ends(stdio_);
    sys::SocketPair handover;
    if (plan_.monitor.source != monitor::Source::None) handover = sys::socket_pair();
    const pid_t init = std::get<Worker>(init_).pid();
    Construction construction(std::move(std::get<Worker>(init_)), plan_, stdio_, ends, group_.placement(),
                              passed_.numbers, std::move(handover.theirs));
    const pid_t builder = construction.builder();
    const std::optional<Refusal> unseen = tracing_.make_ready(plan_, init);  // this and what follows, while it is built
    if (!open_log()) return refuse_log(log_problem_);
    if (const auto refusal = without_disk(prepared_, *log_)) {
      if (!may_lack("audit")) return refuse(std::vector{*refusal});
      leave_out(plan_, "audit", refusal->reason);
    }
    event::Event record = started();
    auto ready = construction.wait_ready(signals_, may_lack("proc") ? Proc::MayBeAbsent : Proc::Required);
    if (const auto* failure = std::get_if<BuildFailure>(&ready)) return refuse(*failure);
    if (unseen) return refuse(std::vector{*unseen});
    Jail& jail = std::get<Jail>(ready);
    if (const auto refusal = guard_.settle(jail.plugin.pid())) return refuse(std::vector{*refusal});
    if (const auto refusal = refusal_for(plan_, construction.findings())) return refuse(std::vector{*refusal});
    if (!construction.without_proc().empty()) {
      leave_out(plan_, "proc", construction.without_proc());
      record = started();
    }
    if (const std::string why = group_.placement().add(jail.plugin.pidfd()); !why.empty())
      return refuse(std::vector{Refusal{"limits.pids", why, {}, {}}});
    const std::vector<Group::Failure> not_held = group_.hold(plan_.limits.of_group);
    if (const auto refusal = leave_out_limits(not_held)) return refuse(std::vector{*refusal});
    if (!not_held.empty()) record = started();
    if (!construction.without_wall().empty() && plan_.egress.port_of_all)
      return refuse(std::vector{Refusal{"net", "only the kernel leads every port out: " + construction.without_wall(),
                                        "name the ports, or let the kernel load nft_tproxy", {}}});
    if (!construction.without_wall().empty()) {
      weaken(plan_, "net", construction.without_wall());
      plan_.wall.reset();
      record = started();
    }
    way_out_.start(plan_, construction.take_doors(), construction.take_network(), construction.take_wall(),
                   destinations_, to_log_of_network());
    auditing_.start(plan_, builder, std::move(tracing_.access.landlock_records), log_);
    const bool traced = !plan_.monitor.traced.empty();
    if (const auto refusal = start_tracing(jail.plugin.pid())) return refuse(std::vector{*refusal});
    if (traced && plan_.monitor.traced.empty()) record = started();
    record.pid = jail.plugin.pid();
    if (handover.ours) reserved_ = monitor::reserve_descriptors();
    if (const auto error = log_->append(record)) return refuse_sink(*error);
    if (const auto error = log_files(construction.findings().plugin)) return refuse_sink(*error);
    status_.started(log_->run(), jail.plugin.pid());
    return watch(jail, std::move(ends), std::move(handover.ours));
  }

  [[nodiscard]] event::Event started() const {
    event::Event record = started_record(prepared_, plan_, options_.wanted);
    std::get<event::RunStarted>(record.body).cgroup = group_.path();
    return record;
  }

  // What the profile states must hold; a default holds as far as it can.
  std::optional<Refusal> leave_out_limits(const std::vector<Group::Failure>& failures) {
    for (const auto& [name, reason] : failures) {
      const auto layer = std::ranges::find(plan_.layers, name, &confine::Layer::name);
      if (layer != plan_.layers.end() && layer->asked_by && !may_lack(name))
        return Refusal{std::string(name), reason, {}, layer->asked_by};
      leave_out(plan_, name, reason);
    }
    return std::nullopt;
  }

  // It waits for the plugin, which waits for us.
  std::optional<Refusal> start_tracing(pid_t plugin) {
    const profile::OnLoss wanted = prepared_.profile.monitor.on_loss.value;
    const bool listens = plan_.monitor.source != monitor::Source::None;
    loss_ = std::make_shared<monitor::Loss>(listens ? wanted : profile::OnLoss::Count);
    return tracing_.start(plan_, rules(), plugin,
                          [log = log_, digests = digests_, loss = loss_](const event::Event& event) {
                            append(*log, *digests, event);
                            if (const auto* lost = std::get_if<event::MonitorLost>(&event.body))
                              loss->tell(monitor::Loss::Sort::Lasting, lost->reason);
                            if (const auto* changed = std::get_if<event::MonitorChanged>(&event.body))
                              loss->tell(monitor::Loss::Sort::Lasting, changed->reason);
                          });
  }

  [[nodiscard]] bool may_lack(std::string_view layer) const {
    return may_be_absent(prepared_.profile, options_.wanted.strictness, layer);
  }

  // Before a line of their code runs.
  std::optional<audit::WriteError> log_files(const monitor::PluginFiles& found) {
    for (const event::PluginFile& file : found.files) {
      if (const auto error = log_->append(of_ours(file))) return error;
      if (!file.sha256.empty()) digests_->emplace(file.path, file.sha256);
    }
    for (const event::LimitReached& limit : found.limits)
      if (const auto error = log_->append(of_ours(limit))) return error;
    std::ranges::move(unmatched(plan_.hashed, found.matches), std::back_inserter(result_.remarks));
    return std::nullopt;
  }

  // What is lost of it, the log counts.
  [[nodiscard]] std::function<void(const event::Event&)> to_log() const {
    return [log = log_](const event::Event& event) { (void)log->append(event); };
  }

  // By us alone. What it could not tell is lost.
  [[nodiscard]] std::function<void(const event::Event&)> to_log_of_network() {
    return [this](const event::Event& event) {
      (void)log_->append(event);
      const auto* lost = std::get_if<event::MonitorLost>(&event.body);
      if (lost == nullptr) return;
      unheard_ += lost->count;
      loss_->tell(monitor::Loss::Sort::Lasting, lost->reason);
    };
  }

  // From the thread that listens.
  static void append(audit::Log& log, const Digests& digests, const event::Event& event) {
    const auto* executed = std::get_if<event::ProcessExec>(&event.body);
    const auto digest = executed == nullptr ? digests.end() : digests.find(executed->named.path);
    if (digest == digests.end()) return (void)log.append(event);  // it counts what it loses
    event::Event with_digest = event;
    std::get<event::ProcessExec>(with_digest.body).sha256 = digest->second;
    (void)log.append(with_digest);
  }

  Result watch(Jail& jail, StdioEnds ends, Fd handover) {
    StdioProxy stdio(stdio_, std::move(ends), std::move(jail.masters));
    looks_ = Looks(prepared_.profile.limits,
                   plan_.limits.of_group.pids ? Looks::Processes::ByGroup : Looks::Processes::Here, jail.plugin.pid());
    send_proceed(jail.plugin.socket());
    log_->start([loss = loss_](const audit::WriteError& error) { tell(*loss, error); });
    if (handover) listening_.emplace(listening_start(jail, std::move(handover)));  // first: the plugin waits for it
    tracing_.read_along(Tracing::Since::Start, jail.init);
    Ending ending = supervise(jail, stdio, signals_,
                              {.time_ms = plan_.time_ms,
                               .grace_ms = plan_.grace_ms,
                               .command = options_.wanted.command.front(),
                               .parent = parent_ ? &parent_ : nullptr,
                               .way_out = &way_out_,
                               .guard = &guard_,
                               .group = &group_,
                               .limits = &prepared_.profile.limits,
                               .after_a_moment =
                                   [&] { tracing_.read_along(Tracing::Since::Moment, jail.init); },
                               .after_a_second =
                                   [this] { log_->keep(); },
                               .now_and_then =
                                   [this](const std::vector<pid_t>& processes) {
                                     group_.look(to_log());
                                     looks_.look(processes, to_log());
                                   },
                               .loss = loss_.get(),
                               .say_frozen = [this](const std::string& why) { say_frozen(why); },
                               .while_frozen = [this] { if (listening_) listening_->look_up(); },
                               .control = &control_,
                               .about_run = [this] { return about_run(); },
                               .log = to_log()});
    looks_.look_at_temporary(to_log());
    looks_ = {};
    way_out_.finish();
    if (const auto carried = way_out_.carried()) take_over(*carried, ending.record.accounts);
    const bool traced_all = tracing_.finish();
    if (!finish_listening() || !traced_all)
      result_.problem = "the source of events hangs in a file system that does not answer";
    jail = {};  // the kernel's audit says its last word when nothing of the plugin's is open
    return end(ending);
  }

  [[nodiscard]] registry::Status about_run() const {
    registry::Status status;
    status.run.set(run_);
    std::string command;
    for (const std::string& word : options_.wanted.command) command += (command.empty() ? "" : " ") + word;
    status.command.set(prepared_.redactor.redact(command));
    status.log.set(log_->file());
    const audit::Log::SoFar so_far = log_->so_far();
    status.events = so_far.events;
    status.denied = so_far.denied;
    return status;
  }

  static void take_over(const EgressEvents::Carried& carried, event::Accounts& accounts) {
    accounts.bytes_sent = carried.sent;
    accounts.bytes_received = carried.received;
  }

  bool finish_listening() {
    if (!listening_) return true;
    const bool clean = listening_->finish() == monitor::Listening::End::Clean;
    unread_ = listening_->lost();
    if (clean) listening_.reset();
    return clean;
  }

  // What it points to lives as long as this.
  [[nodiscard]] monitor::Rules rules() const {
    using monitor::Rules;
    const bool own = plan_.namespaces.net == confine::namespaces::Plan::Net::Own;
    const bool relayed = plan_.egress.reach == egress::Plan::Reach::Abroad;
    const bool told_apart = (plan_.landlock.filesystem & confine::landlock::kResolveUnix) != 0;
    const bool by_us = plan_.connections == monitor::Connections::BySupervisor;
    const bool scoped = (plan_.landlock.scopes & confine::landlock::kScopeSignal) != 0;
    return {.view = &plan_.view,
            .seccomp = &plan_.seccomp,
            .net = plan_.wall ? Rules::Net::Walled
                   : relayed  ? Rules::Net::Relayed
                   : own      ? Rules::Net::Own
                              : Rules::Net::Hosts,
            .ports_abroad = plan_.ports_abroad,
            .every_port_abroad = plan_.egress.port_of_all.has_value(),
            .unix_paths = told_apart ? Rules::UnixPaths::Landlock
                          : by_us    ? Rules::UnixPaths::Supervisor
                                     : Rules::UnixPaths::Open,
            .signals = scoped ? Rules::Signals::Scoped : Rules::Signals::Open,
            .uid = plan_.identity.uid,
            .gid = plan_.identity.gid,
            .files = plan_.monitor.files,
            .traced = monitor::shares_of(plan_.monitor),
            .addresses = plan_.monitor.addresses,
            .expect_absent = prepared_.profile.monitor.expect_absent};
  }

  monitor::Start listening_start(const Jail& jail, Fd handover) {
    return {.rules = rules(),
            .handover = std::move(handover),
            .plugin = duplicate(jail.plugin.pidfd().get()),
            .pid = jail.plugin.pid(),
            .reserved = std::move(reserved_),
            .log = [log = log_, digests = digests_, destinations = destinations_](const event::Event& event) {
              if (!Destinations::concerns(event)) return append(*log, *digests, event);
              event::Event whole = event;
              destinations->complete(whole, whole.mono_ns);
              (void)log->append(whole);
            },
            .leads_out = [destinations = destinations_](const event::Event& call) { destinations->add_call(call); },
            .loss = loss_,
            .log_takes_records = [log = log_] { return log->takes_records(); }};
  }

  // Room may come back, and a reader take up again. What a disk has not kept, or a reader that is gone, stays lost.
  static void tell(monitor::Loss& loss, const audit::WriteError& error) {
    using Sort = monitor::Loss::Sort;
    const bool passes =
        error.error == EAGAIN || error.error == ENOSPC || error.error == EDQUOT || error.error == ETIMEDOUT;
    loss.tell(passes ? Sort::Passing : Sort::Lasting,
              "the log lost a record: " + audit::text_of(error));
  }

  void say_frozen(const std::string& why) const {
    const std::string reason = prepared_.redactor.redact(why);
    status_.frozen(reason);
    say_now(reason.empty() ? "the plugin goes on: the log takes records again"
                           : "the plugin is frozen (monitor.on_loss): " + reason);
  }

  Result end(const Ending& ending) {
    event::RunEnded record = ending.record;
    record.reason = prepared_.redactor.redact(record.reason);
    const Auditing::Account denials = auditing_.finish(*log_);
    log_->settle();
    record.events = log_->events_by_kind();
    record.counted = log_->counted();
    record.lost = log_->lost();
    for (const auto& [sink, count] : record.lost)
      result_.problem = "the log lost " + std::to_string(count) + " records: " + sink;
    if (unread_ != 0) record.lost.emplace_back(monitor::name_of(plan_.monitor.source), unread_);
    if (unheard_ != 0) record.lost.emplace_back(event::name_of(event::Source::Egress), unheard_);
    if (tracing_.lost() != 0) record.lost.emplace_back("ebpf", tracing_.lost());
    record.landlock = denials.counts;
    if (denials.untold != 0) record.lost.emplace_back("kernel-audit", denials.untold);
    if (const auto error = log_->append(of_ours(record)))
      result_.problem = "the log lost a record: " + audit::text_of(*error);
    status_.ended(record, ending.exit_status);
    const bool failed_to_start =
        ending.exit_status >= kExitJailFailed && record.outcome == event::Outcome::SetupError;
    const bool killed_by_us = record.outcome == event::Outcome::Killed && !record.reason.empty();
    const bool met_a_limit = record.outcome == event::Outcome::Timeout || record.outcome == event::Outcome::Oom;
    if (failed_to_start || killed_by_us || met_a_limit) result_.problem = record.reason;
    if (record.outcome == event::Outcome::MonitorLost) result_.problem = why_ended(record.reason);
    if (failed_to_start) result_.hint = prepared_.redactor.redact(hint_for_program(plan_, ending.exit_status));
    result_.exit_status = ending.exit_status;
    return std::move(result_);
  }

  [[nodiscard]] std::string why_ended(const std::string& loss) const {
    const profile::OnLoss wanted = prepared_.profile.monitor.on_loss.value;
    return "the plugin was ended (monitor.on_loss: " + std::string(name_of(profile::kOnLoss, wanted)) +
           "), because events were lost: " + loss;
  }

  bool open_log() {
    if (log_) return true;
    if (prepared_.path.empty() && options_.audit.empty()) return false;  // no profile, so no log of its own
    auto opened = open_audit(options_.audit, prepared_, run_);
    if (auto* log = std::get_if<audit::Log>(&opened)) log_ = std::make_shared<audit::Log>(std::move(*log));
    else log_problem_ = std::get<audit::Problem>(opened);
    return log_ != nullptr;
  }

  Result refuse_profile() {
    event::RunRefused record{
        .reason = "the profile has errors", .layer = "profile", .hint = {}, .faults = faults_of(prepared_.diagnostics)};
    return refuse_with(record);
  }

  Result refuse(const std::vector<Refusal>& refusals) {
    result_.refusals = refusals;
    for (Refusal& refusal : result_.refusals) refusal.reason = prepared_.redactor.redact(refusal.reason);
    return refuse_with(refused_record(result_.refusals));
  }

  Result refuse(const BuildFailure& failure) {
    return refuse(std::vector{Refusal{failure.layer, failure.reason, hint_for(failure), {}}});
  }

  Result refuse_with(const event::RunRefused& record) {
    if (open_log()) (void)log_->append(of_ours(record));
    status_.refused(record.layer, record.reason);
    result_.exit_status = kExitJailFailed;
    return std::move(result_);
  }

  Result refuse_log(const audit::Problem& problem) {
    result_.refusals = {Refusal{"audit", problem.message, problem.hint, {}}};
    status_.refused("audit", problem.message);
    result_.exit_status = kExitJailFailed;
    return std::move(result_);
  }

  Result refuse_sink(const audit::WriteError& error) {
    return refuse_log({"cannot write " + audit::text_of(error),
                       "a run that cannot be recorded does not start"});
  }

  const Options& options_;
  mode_t umask_ = ::umask(kOwnUmask);
  // These look at descriptors of the caller's, before there are any of ours.
  StatusReport status_;
  PassedPlan passed_;
  std::optional<audit::Problem> channel_problem_;
  Fd signals_;
  Fd parent_;  // empty: there is none in our pid namespace
  std::string run_ = random::run_id();
  registry::ControlSocket control_;
  Prepared prepared_;
  Plan plan_;
  StdioPlan stdio_;
  Guard guard_;
  Group group_;  // outlives whoever is in it
  Looks looks_;
  std::variant<Worker, BuildFailure> init_;
  std::shared_ptr<audit::Log> log_;  // shared with the thread that listens, which may hang in it
  std::shared_ptr<Destinations> destinations_ = std::make_shared<Destinations>(plan_.egress);
  std::shared_ptr<Digests> digests_ = std::make_shared<Digests>();
  std::shared_ptr<monitor::Loss> loss_;
  audit::Problem log_problem_;
  Result result_;
  Tracing tracing_;
  Auditing auditing_;
  WayOut way_out_;
  std::vector<Fd> reserved_;
  std::uint64_t unread_ = 0;   // by who listens
  std::uint64_t unheard_ = 0;  // of the network
  std::optional<monitor::Listening> listening_;  // last: it looks at the plan
};

}  // namespace

Result run(const Options& options) { return Session(options).run(); }

}  // namespace jail::run
