// From plan, profile and refusals to the records of the log.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "audit/log.h"
#include "event/event.h"
#include "run/build.h"
#include "run/prepare.h"

namespace jail::run {

event::Event started_record(const Prepared& prepared, const Plan& plan, const Wanted& wanted);
event::RunRefused refused_record(const std::vector<Refusal>& refusals);
std::vector<event::Fault> faults_of(const profile::Diagnostics& diagnostics);

// One thing the operator can do about a layer that could not be built; empty where there is none to name.
std::string hint_for(const BuildFailure& failure);

// Of a program that could not be started with this exit status (126, 127), or nothing.
std::string hint_for_program(const Plan& plan, int exit_status);

std::variant<audit::Log, audit::Problem> open_audit(const std::vector<audit::Target>& targets,
                                                    const Prepared& prepared, const std::string& run);

// `audit.durable: each`, and a log that cannot be asked to be on disk: a pipe, a socket, a terminal.
std::optional<Refusal> without_disk(const Prepared& prepared, const audit::Log& log);

// What turns out while the jail is built: "proc" where a container's masks forbid a new one (DECISIONS 3), "audit".
void leave_out(Plan& plan, std::string_view layer, const std::string& reason);
// The same of what then holds in part: "net", where the kernel has no nf_tables.
void weaken(Plan& plan, std::string_view layer, const std::string& reason);

}  // namespace jail::run
