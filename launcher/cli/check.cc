#include <algorithm>
#include <cstdio>
#include <iterator>
#include <memory>

#include "cli/print.h"
#include "cli/verbs.h"
#include "cli/wanted.h"
#include "run/prepare.h"

namespace jail::cli {
namespace {

struct Options {
  WantedOptions wanted;
  bool json = false;
};

void append(profile::Diagnostics& all, profile::Diagnostics more) {
  std::ranges::move(more, std::back_inserter(all));
}

int check_verb(const Options& options) {
  const run::Wanted wanted = wanted_of(options.wanted);
  const run::Prepared prepared = run::prepare(wanted, run::State::Leave);
  const bool wrong = profile::has_errors(prepared.diagnostics);
  profile::Diagnostics findings = prepared.diagnostics;
  if (!wrong) append(findings, run::refused_everywhere(prepared, wanted));
  if (!wrong) append(findings, run::unmatched_patterns(prepared));
  append(findings, run::remarks(prepared, wanted));
  if (const auto refusal = run::disabled(prepared)) print(stderr, *refusal);
  if (options.json) {
    std::puts(as_json(findings).c_str());
  } else {
    print(stdout, findings);
    if (!wrong) std::printf("%s: ok\n", prepared.path.c_str());
  }
  return wrong ? 1 : 0;
}

}  // namespace

void add_check(CLI::App& app, int& status) {
  auto options = std::make_shared<Options>();
  CLI::App* verb =
      app.add_subcommand("check", "Say everything that is wrong with a profile; 0 when nothing is, else 1");
  verb->footer(
      "Looks at the profile and the paths it names, at no kernel feature: 'jail doctor PROFILE' does that.\n"
      "Example:\n  jail check --set plugin=/opt/crm ./crm.yaml");
  add_wanted(*verb, options->wanted, ProfileIs::Required);
  verb->add_flag("--json", options->json, "One JSON object instead of lines");
  verb->callback([options, &status] { status = check_verb(*options); });
}

}  // namespace jail::cli
