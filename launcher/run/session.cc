// The order of a run: profile and plan, the child forked, and while it builds itself the log opened and run.started made
// ready; then the record, "go", and the watch.
#include "run/session.h"

#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>

#include "base/error.h"
#include "base/random.h"
#include "base/sha256.h"
#include "run/build.h"
#include "run/exit_status.h"
#include "run/record.h"
#include "run/status.h"
#include "run/supervise.h"

namespace jail::run {
namespace {

// Everything that lasts from the first refusal on to the last record.
class Session {
 public:
  explicit Session(const Options& options) : options_(options), status_(options.status_fd), signals_(open_signals()) {}

  Result run() {
    prepared_ = prepare(options_.wanted, State::Make);
    result_.diagnostics = prepared_.diagnostics;
    if (profile::has_errors(prepared_.diagnostics)) return refuse_profile();
    plan_ = plan_for(prepared_, options_.wanted);
    stdio_ = plan_stdio();
    if (!stdio_.problem.empty()) plan_.refusals.push_back({"fds", stdio_.problem, {}, {}});
    if (!plan_.refusals.empty()) return refuse(plan_.refusals);
    return build();
  }

 private:
  Result build() {
    StdioEnds ends = make_ends(stdio_);
    auto started = start(plan_, stdio_, ends, options_.pass_fds);
    if (auto* failure = std::get_if<BuildFailure>(&started)) return refuse_failure(*failure);
    Jail& jail = std::get<Jail>(started);
    if (!open_log()) return no_log();
    event::Event record = started_record(prepared_, plan_, options_.wanted);  // while the child builds
    auto ready = wait_ready(jail, signals_);
    if (auto* failure = std::get_if<BuildFailure>(&ready)) return try_without(*failure, jail);
    Gate& gate = std::get<Gate>(ready);
    record.pid = gate.pid;
    if (const auto error = log_->append(record)) return refuse_sink(*error);
    status_.started(log_->run(), gate.pid);
    return watch(jail, std::move(gate), std::move(ends));
  }

  Result watch(Jail& jail, Gate gate, StdioEnds ends) {
    StdioProxy stdio(stdio_, std::move(ends), std::move(gate.masters));
    const Fd parent = ::getppid() > 0 ? sys::pidfd_open(::getppid()) : Fd();
    send_go(jail.socket());
    const Ending ending = supervise(jail, std::move(gate), stdio, signals_,
                                    {.time_ms = plan_.time_ms, .grace_ms = plan_.grace_ms, .parent = parent ? &parent : nullptr});
    return end(ending);
  }

  Result end(const Ending& ending) {
    event::RunEnded record = ending.record;
    record.events = log_->events_by_kind();
    record.lost = log_->lost();
    if (const auto error = log_->append({.body = record, .source = event::Source::Supervisor, .process = {}, .pid = {}, .jail_pid = {}}))
      result_.problem = "the log lost a record: " + error->sink + ": " + std::generic_category().message(error->error);
    status_.ended(record, ending.exit_status);
    if (ending.exit_status >= kExitJailFailed && record.outcome == event::Outcome::SetupError) result_.problem = record.reason;
    result_.exit_status = ending.exit_status;
    return std::move(result_);
  }

  // A layer that this machine is proven to forbid or lack may be left out if the profile says so; then once more.
  Result try_without(const BuildFailure& failure, Jail& jail) {
    jail.kill();
    const bool forbidden = confine::namespaces::classify(failure.error) != confine::namespaces::Refusal::Exhausted;
    const bool allowed = may_be_absent(prepared_.profile, options_.wanted.strictness, "proc");
    if (failure.layer != "proc" || !forbidden || !allowed || plan_.view.proc == confine::view::Proc::None)
      return refuse_failure(failure);
    leave_out_proc(plan_, failure.reason);
    return build();
  }

  bool open_log() {
    if (log_) return true;
    auto opened = open_audit(options_.audit, prepared_, plan_.environment.secrets);
    if (auto* log = std::get_if<audit::Log>(&opened)) log_ = std::move(*log);
    else log_problem_ = std::get<audit::Problem>(opened);
    return log_.has_value();
  }

  Result refuse_profile() {
    event::RunRefused record{.reason = "the profile has errors", .layer = "profile", .hint = {}, .faults = faults_of(prepared_.diagnostics)};
    return refuse_with(record);
  }

  Result refuse(const std::vector<Refusal>& refusals) {
    result_.refusals = refusals;
    return refuse_with(refused_record(refusals));
  }

  Result refuse_failure(const BuildFailure& failure) {
    return refuse({Refusal{failure.layer, failure.reason, hint_for(failure), {}}});
  }

  Result refuse_with(const event::RunRefused& record) {
    if (open_log()) (void)log_->append({.body = record, .source = event::Source::Supervisor, .process = {}, .pid = {}, .jail_pid = {}});
    status_.refused(record.layer, record.reason);
    result_.exit_status = kExitJailFailed;
    return std::move(result_);
  }

  Result no_log() {
    result_.refusals = {Refusal{"audit", log_problem_.message, log_problem_.hint, {}}};
    status_.refused("audit", log_problem_.message);
    result_.exit_status = kExitJailFailed;
    return std::move(result_);
  }

  Result refuse_sink(const audit::WriteError& error) {
    log_problem_ = {"cannot write " + error.sink + ": " + std::generic_category().message(error.error),
                    "a run that cannot be recorded does not start"};
    return no_log();
  }

  const Options& options_;
  StatusReport status_;
  Fd signals_;
  Prepared prepared_;
  Plan plan_;
  StdioPlan stdio_;
  std::optional<audit::Log> log_;
  audit::Problem log_problem_;
  Result result_;
};

}  // namespace

Result run(const Options& options) { return Session(options).run(); }

}  // namespace jail::run
