#include "run/record.h"

#include <sys/utsname.h>
#include <unistd.h>

#include <cstdlib>

#include "base/sha256.h"
#include "run/exit_status.h"

namespace jail::run {
namespace {

std::string kernel_release() {
  utsname names{};
  return ::uname(&names) == 0 ? names.release : "";
}

event::LayerState state_of(confine::LayerState state) {
  switch (state) {
    case confine::LayerState::Enforced: return event::LayerState::Enforced;
    case confine::LayerState::Partial: return event::LayerState::Partial;
    case confine::LayerState::Absent: return event::LayerState::Absent;
  }
  return event::LayerState::Absent;
}

std::string text_of(const std::optional<profile::Place>& place) { return place ? profile::to_string(*place) : ""; }

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

audit::Durable durability(const profile::Audit& audit) {
  switch (audit.durable.value) {
    case profile::Durable::Batch: return audit::Durable::Batch;
    case profile::Durable::Each: return audit::Durable::Each;
    case profile::Durable::None: return audit::Durable::None;
  }
  return audit::Durable::Batch;
}

}  // namespace

event::Event started_record(const Prepared& prepared, const Plan& plan, const Wanted& wanted) {
  event::RunStarted record;
  record.command = wanted.command;
  record.profile_path = prepared.path;
  record.profile_digest = digest_of(prepared.profile);
  record.plan_digest = sha256_hex(describe(plan));
  record.user = {.uid = plan.identity.uid,
                 .gid = plan.identity.gid,
                 .groups = plan.identity.kept_groups,
                 .inside_uid = plan.identity.uid,
                 .inside_gid = plan.identity.gid};
  record.kernel = kernel_release();
  for (const confine::Layer& layer : plan.layers)
    record.policy.push_back({std::string(layer.name), state_of(layer.state), layer.reason, text_of(layer.asked_by)});
  record.event_source = source_name(plan.monitor);
  record.sources = plan.monitor.sources;
  record.blind_spots = plan.monitor.blind_spots;
  record.passed = plan.passed;
  return {.body = std::move(record), .source = event::Source::Supervisor, .process = {}, .pid = {}, .jail_pid = {}};
}

event::RunRefused refused_record(const std::vector<Refusal>& refusals) {
  event::RunRefused record{
      .reason = refusals.front().reason, .layer = refusals.front().layer, .hint = refusals.front().hint, .faults = {}};
  if (refusals.size() == 1 && !refusals.front().place) return record;
  for (const Refusal& refusal : refusals)
    record.faults.push_back({text_of(refusal.place), refusal.layer + ": " + refusal.reason, refusal.hint});
  return record;
}

std::vector<event::Fault> faults_of(const profile::Diagnostics& diagnostics) {
  std::vector<event::Fault> faults;
  for (const profile::Diagnostic& diagnostic : diagnostics)
    if (diagnostic.severity == profile::Diagnostic::Severity::Error)
      faults.push_back({profile::to_string(diagnostic.place), diagnostic.message, diagnostic.hint});
  return faults;
}

std::string hint_for(const BuildFailure& failure) {
  // Of a program that its user may not read, the kernel gives what is in /proc/self to root (proc(5)).
  if (failure.layer == "userns" && ::access("/proc/self/exe", R_OK) != 0)
    return "who starts 'jail' must be able to read its program file: chmod a+r";
  if (failure.layer == "userns") return "'jail doctor' says what this machine offers";
  if (failure.layer == "proc") return "inside a container: best_effort: [proc] runs the plugin without /proc";
  return {};
}

std::string hint_for_program(const Plan& plan, int exit_status) {
  const std::string& program = plan.command.argv.front();
  if (program.empty()) return {};
  if (exit_status == kExitNotExecutable)
    return "only what filesystem.exec grants is started, and of a script its '#!' program, too";
  if (exit_status != kExitNotFound) return {};
  if (program.starts_with('/')) return "neither it nor its loader or '#!' program is there unless a grant names it";
  if (program.find('/') == std::string::npos)
    return "looked for in the jail's own PATH: list it under filesystem.exec, or extend a template that grants it";
  return "looked for in '" + plan.view.cwd + "', where the plugin starts: give its whole path, or state 'cwd'";
}

std::variant<audit::Log, audit::Problem> open_audit(const std::vector<audit::Target>& targets,
                                                    const Prepared& prepared, const std::string& run) {
  const audit::Identity identity{.run = run,
                                 .profile = prepared.profile.name.empty() ? "unknown" : prepared.profile.name,
                                 .profile_path = prepared.path};
  const audit::Home home{
      .euid = ::geteuid(), .xdg_state_home = variable("XDG_STATE_HOME"), .home = prepared.places.home};
  const std::vector<audit::Target> fallback{audit::DefaultFile{}};
  return audit::open(identity, targets.empty() ? fallback : targets, home, prepared.redactor,
                     {.durable = durability(prepared.profile.audit), .bounds = {}});
}

void weaken(Plan& plan, std::string_view name, const std::string& reason) {
  for (confine::Layer& layer : plan.layers)
    if (layer.name == name) layer.state = confine::LayerState::Partial, layer.reason = reason;
}

void leave_out(Plan& plan, std::string_view name, const std::string& reason) {
  for (confine::Layer& layer : plan.layers)
    if (layer.name == name) layer.state = confine::LayerState::Absent, layer.reason = reason;
}

std::optional<Refusal> without_disk(const Prepared& prepared, const audit::Log& log) {
  const auto& durable = prepared.profile.audit.durable;
  if (durable.value != profile::Durable::Each || log.reaches_disk()) return std::nullopt;
  return Refusal{"audit", "no record is on disk in a log that is not a file",
                 "name a file by --audit, or take the line out", durable.stated};
}

}  // namespace jail::run
