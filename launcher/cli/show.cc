#include <cstdio>
#include <memory>

#include "base/json.h"
#include "cli/print.h"
#include "cli/verbs.h"
#include "cli/wanted.h"
#include "profile/emit.h"
#include "run/prepare.h"

namespace jail::cli {
namespace {

constexpr const char* kFooter =
    R"(Without --plan: the profile as it is after templates and variables, each line with the file and
line that it comes from. With --plan: what will happen on this kernel, layer by layer.

Examples:
  jail show --set plugin=/opt/crm ./crm.yaml
  jail show --plan --set plugin=/opt/crm ./crm.yaml
)";

struct Options {
  WantedOptions wanted;
  bool plan = false;
  bool json = false;
};

std::string text_of(const run::Prepared& prepared) { return prepared.redactor.redact(profile::emit(prepared.profile)); }

void add_layers(json::Writer& writer, const run::Plan& plan) {
  writer.key("layers");
  writer.begin_array();
  for (const confine::Layer& layer : plan.layers) {
    writer.begin_object();
    writer.member("layer", layer.name);
    writer.member("state", confine::name_of(layer.state));
    if (!layer.reason.empty()) writer.member("reason", layer.reason);
    if (layer.asked_by) writer.member("asked_by", profile::to_string(*layer.asked_by));
    writer.end_object();
  }
  writer.end_array();
}

void add_refusals(json::Writer& writer, const run::Plan& plan) {
  writer.key("refusals");
  writer.begin_array();
  for (const run::Refusal& refusal : plan.refusals) {
    writer.begin_object();
    writer.member("layer", refusal.layer);
    writer.member("reason", refusal.reason);
    if (refusal.place) writer.member("asked_by", profile::to_string(*refusal.place));
    if (!refusal.hint.empty()) writer.member("hint", refusal.hint);
    writer.end_object();
  }
  writer.end_array();
}

void print_json(const run::Prepared& prepared, const run::Plan& plan) {
  json::Writer writer;
  writer.begin_object();
  writer.member("profile", prepared.profile.name);
  writer.member("path", prepared.path);
  writer.member("digest", run::digest_of(prepared.profile));
  writer.member("text", text_of(prepared));
  writer.member("plan", prepared.redactor.redact(run::describe(plan)));
  add_layers(writer, plan);
  add_refusals(writer, plan);
  writer.end_object();
  std::puts(writer.text().c_str());
}

int show_verb(const Options& options) {
  const run::Wanted wanted = wanted_of(options.wanted);
  const run::Prepared prepared = run::prepare(wanted, run::State::Foresee);
  print_errors(stderr, prepared.diagnostics);
  if (const auto refusal = run::disabled(prepared)) print(stderr, *refusal);
  if (profile::has_errors(prepared.diagnostics)) return 1;
  const run::Plan plan = run::plan_for(prepared, wanted);
  if (options.json) {
    print_json(prepared, plan);
  } else if (options.plan) {
    std::fputs(prepared.redactor.redact(run::describe(plan)).c_str(), stdout);
    for (const run::Refusal& refusal : plan.refusals) print(stdout, refusal);
  } else {
    std::printf("# %s\n%s", prepared.path.c_str(), text_of(prepared).c_str());
  }
  return plan.refusals.empty() ? 0 : 1;
}

}  // namespace

void add_show(CLI::App& app, int& status) {
  auto options = std::make_shared<Options>();
  CLI::App* verb = app.add_subcommand("show", "Print a profile with everything it comes to, or the plan of a run");
  verb->footer(kFooter);
  add_wanted(*verb, options->wanted, ProfileIs::Required);
  verb->add_flag("--plan", options->plan, "What will happen on this kernel, layer by layer");
  verb->add_flag("--json", options->json, "Profile, plan and layers as one JSON object");
  verb->callback([options, &status] { status = show_verb(*options); });
}

}  // namespace jail::cli
