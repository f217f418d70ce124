// What this machine offers, layer by layer, found by building a jail and not by reading versions.
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <memory>

#include "base/json.h"
#include "base/text.h"
#include "cli/blindspots.h"
#include "cli/print.h"
#include "cli/verbs.h"
#include "cli/wanted.h"
#include "run/record.h"
#include "run/rehearse.h"
#include "run/trace_access.h"

namespace jail::cli {
namespace {

constexpr const char* kFooter = R"(0 when a jail can be built here, else 1;
with --blindspots 0 when the log of a jail tells all that was done in it.

Examples:
  jail doctor                                   what this machine offers
  jail doctor --set plugin=/opt/crm ./crm.yaml  whether it can run this profile
  jail doctor --blindspots                      what the log of a jail tells of what is done in it
)";

struct Options {
  WantedOptions wanted;
  bool json = false;
  bool blindspots = false;
  std::vector<std::string> perform;  // words for whoever performs
};

struct Findings {
  std::string kernel;
  std::vector<confine::Layer> layers;
  trace::Support trace;
  std::string why_not_kept;  // of its programs
  std::string broker;        // whose programs these are; empty: of our own
  std::string why_no_records;  // of Landlock, in the kernel's audit; empty: they are there
  std::string source;        // of events
  std::vector<std::string> sources;
  std::vector<run::Refusal> refusals;
  std::optional<run::BuildFailure> failure;
  [[nodiscard]] bool good() const { return refusals.empty() && !failure; }
};

constexpr trace::Family kFamilies[] = {trace::Family::Process,   trace::Family::Network,  trace::Family::NetworkUnix,
                                       trace::Family::Privilege, trace::Family::FileExit, trace::Family::FileHooks,
                                       trace::Family::Denied};

// What it costs while a run uses it.
std::string about(const trace::Support& support, trace::Family family) {
  if (!support.has(family)) return support.why_not(family);
  switch (family) {
    case trace::Family::Process: return "costs others nothing";
    case trace::Family::Network: return "every process of this machine pays some 6 % more for a call to a socket";
    case trace::Family::NetworkUnix: return "asked in the control group of the run alone";
    case trace::Family::Privilege: return "every process of this machine pays for a capability it needs; only by name";
    case trace::Family::FileExit: return "every process of this machine pays 0.1 to 0.3 us a call; only by name";
    case trace::Family::FileHooks: return "every process of this machine pays some 7 % more to open a file";
    case trace::Family::Denied: return "taken by no run: what is denied, the other sources tell";
  }
  return "";
}

Findings examine(run::Plan plan, const std::string& broker) {
  utsname names{};
  Findings findings;
  findings.kernel = ::uname(&names) == 0 ? names.release : "unknown";
  const run::TraceAccess access = run::TraceAccess::open(broker);
  findings.trace = *access.support;
  if (access.own) findings.why_not_kept = access.own->why_not_kept();
  if (access.broker) findings.broker = access.broker->path();
  findings.why_no_records = access.why_no_records;
  findings.source = monitor::source_name(plan.monitor);
  findings.sources = plan.monitor.sources;
  findings.refusals = plan.refusals;
  if (plan.refusals.empty()) findings.failure = run::rehearse(plan, run::Proc::Required, broker);
  if (findings.failure) run::leave_out(plan, findings.failure->layer, findings.failure->reason);
  findings.layers = std::move(plan.layers);
  return findings;
}

// What would hold the limits that hold only in part; empty: nothing is missing.
std::string remedy_for_limits(const std::vector<confine::Layer>& layers) {
  const auto is_missing = [](const confine::Layer& layer) {
    const bool by_group = layer.name == "limits.memory" || layer.name == "limits.pids" || layer.name == "limits.cpu";
    return by_group && layer.state != confine::LayerState::Enforced;
  };
  if (std::ranges::none_of(layers, is_missing)) return {};
  return "a control group with controllers that belongs to uid " + std::to_string(::geteuid()) +
         " would hold the memory, processes and cpu of a whole jail; with systemd: "
         "systemd-run --user --scope -p Delegate=yes jail run ...; or jaild, run by root";
}

void print_source(const Findings& findings) {
  if (!findings.why_not_kept.empty() && findings.trace.has(trace::Family::Process))
    std::printf("eBPF programs are not kept, so a run that asks for them by name loads them, some 60 ms: %s\n",
                text::for_people(findings.why_not_kept).c_str());
  std::printf("events come from %s\n", findings.source.c_str());
  for (const std::string& source : findings.sources) std::printf("  %s\n", text::for_people(source).c_str());
}

void print_findings(const Findings& findings) {
  std::printf("kernel %s, as uid %u\n", findings.kernel.c_str(), ::geteuid());
  for (const confine::Layer& layer : findings.layers)
    std::printf("  %-9s %-16s %s\n", confine::name_of(layer.state), std::string(layer.name).c_str(),
                text::for_people(layer.reason).c_str());
  if (const std::string remedy = remedy_for_limits(findings.layers); !remedy.empty())
    std::printf("  %s\n", remedy.c_str());
  for (const trace::Family family : kFamilies)
    std::printf("  %-9s %-16s %s\n", findings.trace.has(family) ? "loads" : "absent",
                ("ebpf." + std::string(trace::name_of(family))).c_str(), about(findings.trace, family).c_str());
  std::printf("  %-9s %-16s %s\n", findings.why_no_records.empty() ? "there" : "absent", "kernel-audit",
              findings.why_no_records.empty() ? "counts what Landlock denies" : findings.why_no_records.c_str());
  if (!findings.broker.empty()) std::printf("  %-9s %-16s %s\n", "answers", "jaild", findings.broker.c_str());
  print_source(findings);
  for (const run::Refusal& refusal : findings.refusals) print(stdout, refusal);
  if (findings.failure)
    std::printf("a jail cannot be built here: %s: %s\n", findings.failure->layer.c_str(),
                text::for_people(findings.failure->reason).c_str());
  else if (findings.good()) std::puts("a jail was built and taken down again: this machine can run it");
}

void print_json(const Findings& findings) {
  json::Writer writer;
  writer.begin_object();
  writer.member("kernel", findings.kernel);
  writer.member("can_run", findings.good());
  writer.key("layers");
  writer.begin_array();
  for (const confine::Layer& layer : findings.layers) {
    writer.begin_object();
    writer.member("layer", layer.name);
    writer.member("state", confine::name_of(layer.state));
    if (!layer.reason.empty()) writer.member("reason", layer.reason);
    writer.end_object();
  }
  writer.end_array();
  if (const std::string remedy = remedy_for_limits(findings.layers); !remedy.empty())
    writer.member("limits_remedy", remedy);
  writer.key("ebpf");
  writer.begin_object();
  for (const trace::Family family : kFamilies)
    writer.member(trace::name_of(family), findings.trace.has(family) ? "loads" : findings.trace.why_not(family));
  writer.end_object();
  writer.member("kernel_audit", findings.why_no_records.empty() ? "there" : findings.why_no_records);
  if (!findings.why_not_kept.empty()) writer.member("ebpf_not_kept", findings.why_not_kept);
  writer.member("event_source", findings.source);
  writer.key("sources");
  writer.begin_array();
  for (const std::string& source : findings.sources) writer.value(source);
  writer.end_array();
  if (!findings.broker.empty()) writer.member("jaild", findings.broker);
  if (findings.failure) {
    writer.member("failed_layer", findings.failure->layer);
    writer.member("reason", findings.failure->reason);
  } else if (!findings.refusals.empty()) {
    writer.member("failed_layer", findings.refusals.front().layer);
    writer.member("reason", findings.refusals.front().reason);
  }
  writer.end_object();
  std::puts(writer.text().c_str());
}

int show_blindspots(const Options& options) {
  return show_blindspots(options.json ? Form::Json : Form::Lines,
                         options.wanted.best_effort ? blindspot::Strictness::BestEffort
                                                    : blindspot::Strictness::Required);
}

int doctor_verb(const Options& options) {
  if (!options.perform.empty()) return blindspot::perform_from(options.perform);
  if (options.blindspots) return show_blindspots(options);
  run::Plan plan;
  if (options.wanted.profile.empty()) {
    plan = run::bare_plan(options.wanted.broker);
  } else {
    run::Wanted wanted = wanted_of(options.wanted);
    wanted.command = {"true"};
    const run::Prepared prepared = run::prepare(wanted, run::State::Leave);
    print(stderr, prepared.diagnostics);
    if (profile::has_errors(prepared.diagnostics)) return 1;
    plan = run::plan_for(prepared, wanted);
  }
  const Findings findings = examine(std::move(plan), options.wanted.broker);
  options.json ? print_json(findings) : print_findings(findings);
  return findings.good() ? 0 : 1;
}

}  // namespace

void add_doctor(CLI::App& app, int& status) {
  auto options = std::make_shared<Options>();
  CLI::App* verb = app.add_subcommand("doctor", "Say what this machine offers, or whether it can run a profile");
  verb->footer(kFooter);
  add_wanted(*verb, options->wanted, ProfileIs::Optional);
  verb->add_flag("--json", options->json, "One JSON object instead of lines");
  verb->add_flag("--blindspots", options->blindspots, "Do some hundred things in a jail and say which its log tells")
      ->excludes(verb->get_option("profile"));
  verb->add_option(kPerformOption, options->perform)->expected(3)->group("");  // not in the help
  verb->callback([options, &status] { status = doctor_verb(*options); });
}

}  // namespace jail::cli
